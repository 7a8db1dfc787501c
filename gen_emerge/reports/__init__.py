"""Reports: plain values (`sheet.ReportData`) in, files and text out.

`page.write_html` one self-contained page, `poster.write_png` the map as a poster, `contact.contact_sheet` a sheet of
pictures, `terminal.terminal_map` the map as text. Nothing here reads the store or runs a model.
"""
