# SPDX-License-Identifier: LGPL-2.1-or-later
"""Turns published checkpoints into model directories: encoders and the region part under the reference's names."""
