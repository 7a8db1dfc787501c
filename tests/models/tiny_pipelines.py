"""Tiny text-to-image pipelines in the real format: folders as `save_pretrained` writes them, 1-3 MB, random weights.

The weights are seeded and the attention to the prompt is made strong, so that words are seen in the picture.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

CROSS = 32
"""Width of the text encoders' output where only one is used."""
TURBO = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "timestep_spacing": "trailing",
}


def tokenizer(folder: Path) -> Any:
    """A CLIP tokenizer that knows single bytes (and a few pairs): whatever is written becomes tokens."""
    from transformers import CLIPTokenizer

    letters = list(_letters().values())
    merges = ["t h", "i n", "e r", "a n", "o n", "r e"]
    words = [*letters, *(letter + "</w>" for letter in letters), *(pair.replace(" ", "") for pair in merges)]
    vocab = {word: number for number, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocab), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    return CLIPTokenizer.from_pretrained(str(folder), model_max_length=77)


def _letters() -> dict[int, str]:
    """GPT-2's printable stand-ins for bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spare = iter(range(256, 512))
    return {byte: chr(byte if byte in plain else next(spare)) for byte in range(256)}


def clip_text(made: Any, *, width: int = CROSS, projected: int | None = None) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=len(made),
        hidden_size=width,
        intermediate_size=width * 2,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=77,
        projection_dim=projected or width,
        bos_token_id=made.bos_token_id,
        eos_token_id=made.eos_token_id,
        pad_token_id=made.eos_token_id,
    )
    return CLIPTextModelWithProjection(config) if projected else CLIPTextModel(config)


def t5(folder: Path) -> tuple[Any, Any]:
    """A T5 encoder and its tokenizer of single letters."""
    from transformers import T5Config, T5EncoderModel, T5Tokenizer

    letters = [(chr(code), -2.0) for code in range(33, 127)]
    made = T5Tokenizer(vocab=[("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -9.0), ("▁", -1.0), *letters], extra_ids=0)
    config = T5Config(
        vocab_size=len(made), d_model=CROSS, d_kv=8, d_ff=64, num_layers=2, num_heads=4, feed_forward_proj="gated-gelu"
    )
    return T5EncoderModel(config), made


def vae(channels: int = 4, **more: Any) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8, 16, 16, 32),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=channels,
        norm_num_groups=8,
        sample_size=64,
        **more,
    )


def unet(cross: int = CROSS, **more: Any) -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        block_out_channels=(32, 64),
        layers_per_block=1,
        sample_size=16,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=cross,
        attention_head_dim=8,
        norm_num_groups=8,
        **more,
    )


def _listen(module: Any) -> None:
    """Make what the prompt says weigh: with random weights it hardly would."""
    for name, part in module.named_parameters():
        if any(key in name for key in ("attn2.to_v", "attn2.to_out.0.weight", "add_v_proj", "context_embedder.weight")):
            with torch.no_grad():
                part.mul_(6.0)


def safety_checker(threshold: float) -> tuple[Any, Any]:
    """A safety checker whose every concept is met above a cosine; below -1 whatever is shown, above 1 never."""
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPImageProcessor

    vision = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "image_size": 32,
        "patch_size": 16,
        "projection_dim": 32,
    }
    checker = StableDiffusionSafetyChecker(CLIPConfig(vision_config=vision, projection_dim=32))
    with torch.no_grad():
        checker.concept_embeds_weights.fill_(threshold)
        checker.special_care_embeds_weights.fill_(2.0)
    return checker, CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})


def sd(folder: Path, *, safety: float | None = None, spoilt_vae: float = 1.0) -> Path:
    """Stable Diffusion 1: one CLIP, a UNet, DDIM. `spoilt_vae` scales the decoder's middle (float16 overflows)."""
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    torch.manual_seed(1)
    words = tokenizer(folder / "tokenizer")
    net, coder = unet(), vae()
    _listen(net)
    with torch.no_grad():
        coder.decoder.conv_in.weight.mul_(spoilt_vae)
    checker, extractor = (None, None) if safety is None else safety_checker(safety)
    StableDiffusionPipeline(
        vae=coder,
        text_encoder=clip_text(words),
        tokenizer=words,
        unet=net,
        scheduler=DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1
        ),
        safety_checker=checker,
        feature_extractor=extractor,
        requires_safety_checker=False,
    ).save_pretrained(str(folder), safe_serialization=True)
    return folder


def sdxl(folder: Path) -> Path:
    """SDXL as its turbo is shipped: two CLIPs, Euler ancestral with trailing steps."""
    from diffusers import EulerAncestralDiscreteScheduler, StableDiffusionXLPipeline

    torch.manual_seed(2)
    words, more = tokenizer(folder / "tokenizer"), tokenizer(folder / "tokenizer_2")
    net = unet(
        cross=2 * CROSS,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        transformer_layers_per_block=(1, 1),
        projection_class_embeddings_input_dim=6 * 8 + CROSS,
    )
    _listen(net)
    StableDiffusionXLPipeline(
        vae=vae(),
        text_encoder=clip_text(words),
        text_encoder_2=clip_text(more, projected=CROSS),
        tokenizer=words,
        tokenizer_2=more,
        unet=net,
        scheduler=EulerAncestralDiscreteScheduler(**TURBO),
        force_zeros_for_empty_prompt=True,
    ).save_pretrained(str(folder), safe_serialization=True)
    return folder


def sd3(folder: Path) -> Path:
    """Stable Diffusion 3 without its T5: two CLIPs with projections, a transformer, flow matching."""
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

    torch.manual_seed(3)
    words, more = tokenizer(folder / "tokenizer"), tokenizer(folder / "tokenizer_2")
    net = SD3Transformer2DModel(
        sample_size=16,
        patch_size=2,
        in_channels=8,
        out_channels=8,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=4,
        caption_projection_dim=32,
        joint_attention_dim=2 * CROSS,
        pooled_projection_dim=2 * CROSS,
    )
    _listen(net)
    StableDiffusion3Pipeline(
        vae=vae(8, use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.06, scaling_factor=1.5),
        text_encoder=clip_text(words, projected=CROSS),
        text_encoder_2=clip_text(more, projected=CROSS),
        text_encoder_3=None,
        tokenizer=words,
        tokenizer_2=more,
        tokenizer_3=None,
        transformer=net,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        image_encoder=None,
        feature_extractor=None,
    ).save_pretrained(str(folder), safe_serialization=True)
    return folder


def flux(folder: Path) -> Path:
    """Flux as schnell is shipped: CLIP's pooled words, a T5, a transformer without guidance."""
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel

    torch.manual_seed(4)
    words = tokenizer(folder / "tokenizer")
    encoder, letters = t5(folder / "tokenizer_2")
    net = FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=CROSS,
        pooled_projection_dim=CROSS,
        axes_dims_rope=(4, 4, 8),
        guidance_embeds=False,
    )
    _listen(net)
    FluxPipeline(
        vae=vae(4, use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.1, scaling_factor=0.4),
        text_encoder=clip_text(words),
        text_encoder_2=encoder,
        tokenizer=words,
        tokenizer_2=letters,
        transformer=net,
        scheduler=FlowMatchEulerDiscreteScheduler(),
    ).save_pretrained(str(folder), safe_serialization=True)
    return folder


def zimage(folder: Path) -> Path:
    """Z-Image: a language model reads the words, lists of tensors instead of batches; nothing here knows it by name."""
    from diffusers import FlowMatchEulerDiscreteScheduler, ZImagePipeline, ZImageTransformer2DModel
    from transformers import Qwen3Config, Qwen3Model

    torch.manual_seed(5)
    words = _qwen_tokenizer(folder / "tokenizer")
    encoder = Qwen3Model(
        Qwen3Config(
            vocab_size=len(words),
            hidden_size=CROSS,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            head_dim=16,
        )
    )
    net = ZImageTransformer2DModel(
        in_channels=4,
        dim=48,
        n_layers=1,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=CROSS,
        axes_dims=[8, 8, 8],
        axes_lens=[1024, 64, 64],
    )
    ZImagePipeline(
        vae=vae(4, shift_factor=0.1, scaling_factor=0.4),
        text_encoder=encoder,
        tokenizer=words,
        transformer=net,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    ).save_pretrained(str(folder), safe_serialization=True)
    return folder


def _qwen_tokenizer(folder: Path) -> Any:
    from transformers import Qwen2Tokenizer

    letters = [*_letters().values(), "<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(letters)}), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    made = Qwen2Tokenizer.from_pretrained(str(folder))
    made.chat_template = "{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}"
    return made


def lora(pipeline_folder: Path, file: Path, *, size: float = 4.0) -> Path:
    """A LoRA for the tiny UNet, as `save_lora_weights` writes it; `size` scales what it changes."""
    from diffusers import StableDiffusionPipeline
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    pipe = StableDiffusionPipeline.from_pretrained(str(pipeline_folder), local_files_only=True, use_safetensors=True)
    torch.manual_seed(9)
    pipe.unet.add_adapter(LoraConfig(r=2, lora_alpha=2, target_modules=["to_q", "to_v", "to_k", "to_out.0"]))
    weights = {
        name: torch.randn_like(value) * size if "lora_B" in name else value
        for name, value in get_peft_model_state_dict(pipe.unet).items()
    }
    pipe.save_lora_weights(str(file.parent), unet_lora_layers=weights, weight_name=file.name, safe_serialization=True)
    return file


MAKERS: dict[str, Callable[[Path], Path]] = {"sd": sd, "sdxl": sdxl, "sd3": sd3, "flux": flux, "zimage": zimage}
