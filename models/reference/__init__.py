# SPDX-License-Identifier: LGPL-2.1-or-later
"""PyTorch reference of Uni-Perceiver v2: the definition the C engine is held to."""
