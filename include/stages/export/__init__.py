"""Which form of a fitted model ships: `forms` are made of the float32 file, measured side by side, and one is chosen.

All have the same input, output and metadata: whoever opens a model file need not know which form it is.
"""
