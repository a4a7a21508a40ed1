import numpy as np


def conv_vjp(x, kernel, g):
    """Follow each product K x of the forward pass back, to x and to K."""
    height, width = x.shape[2:]
    kh, kw = kernel.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (kh - 1, 0), (kw - 1, 0)))
    padded_bar, kernel_bar = np.zeros_like(padded), np.zeros_like(kernel)
    for a in range(kh):
        for b in range(kw):
            window = np.s_[:, :, a : a + height, b : b + width]
            padded_bar[window] += np.einsum("oc,nohw->nchw", kernel[:, :, a, b], g)
            kernel_bar[:, :, a, b] = np.einsum("nohw,nchw->oc", g, padded[window])
    return padded_bar[:, :, kh - 1 :, kw - 1 :], kernel_bar
