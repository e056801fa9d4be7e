# SPDX-License-Identifier: LGPL-2.1-or-later
"""The GPU kit: what `tests/cuda/on-gpu` is made of. It needs nothing but Python's standard library,
here as on the GPU's machine."""
