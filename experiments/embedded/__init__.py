"""Parts of `experiments/train_embedded.py`: data, damage, networks, training, evaluation, export."""
