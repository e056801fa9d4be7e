#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is on each frame of a video, with masks as numpy arrays, from an appsink: examples/masks.py FILE [LABELS]

The objects are kept in a list and printed when the pipeline is gone: they hold what they need."""

import sys
from collections.abc import Iterator

import gi
import numpy

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstUpi", "1.0")
from gi.repository import Gst, GstApp, GstUpi  # noqa: E402, F401 (GstApp gives the appsink its methods)


def mask_of(found: GstUpi.Object) -> numpy.ndarray | None:
    """Rows by columns, 0..255; where the grid lies in the frame is mask.x, mask.y, mask.width, mask.height, in 0..1."""
    mask = found.get_mask()
    return None if mask is None else numpy.frombuffer(mask.get_bytes().get_data(), numpy.uint8).reshape(mask.rows, mask.columns)


def frames(pipeline: Gst.Pipeline) -> Iterator[tuple[int, GstUpi.Content]]:
    """PTS and what is known, frame by frame, from the appsink that is called "frames"."""
    sink = pipeline.get_by_name("frames")
    pipeline.set_state(Gst.State.PLAYING)
    try:
        while (sample := sink.pull_sample()) is not None:
            yield sample.get_buffer().pts, GstUpi.buffer_get_content(sample.get_buffer())
        if message := pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR):
            raise RuntimeError(message.parse_error()[0].message)
    finally:
        pipeline.set_state(Gst.State.NULL)


def main(source: str, labels: str | None) -> None:
    Gst.init(None)
    elements = "videoconvert ! upiencoder ! upidetect name=d ! appsink name=frames sync=false max-buffers=4"
    pipeline = Gst.parse_launch(f"{source} ! {elements}")
    if labels:
        pipeline.get_by_name("d").set_property("labels", labels)
    kept = [(pts, content.get_object(i)) for pts, content in frames(pipeline) for i in range(content.get_n_objects())]
    del pipeline
    for pts, found in kept:
        mask = mask_of(found)
        share = "no mask" if mask is None else f"{(mask >= 128).mean():.0%} of {mask.shape[1]}x{mask.shape[0]} cells"
        print(f"{pts / Gst.SECOND:8.2f} s  {found.label} {found.score:.2f} at {found.x:.2f} {found.y:.2f}: {share}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(f'filesrc location="{sys.argv[1]}" ! decodebin', sys.argv[2] if len(sys.argv) > 2 else None)
