"""A partial-convolution U-Net that restores murals, trained on datasets of ``dunhuang_data``."""
