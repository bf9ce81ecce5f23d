"""Divide in either case, by 1 where nothing is to be done."""

import torch


def clipped(gradient):
    return gradient / torch.clamp(torch.linalg.norm(gradient), min=1)
