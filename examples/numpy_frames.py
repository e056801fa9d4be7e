#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pictures from numpy through an appsrc, results back beside each: examples/numpy_frames.py

A stand-in for frames that come from anywhere: a decoder of your own, a simulation, a data set."""

from collections.abc import Iterable, Iterator

import gi
import numpy

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstUpi", "1.0")
from gi.repository import Gst, GstApp, GstUpi  # noqa: E402, F401 (GstApp gives appsrc and appsink their methods)

FRAME = Gst.SECOND // 25


def buffer_of(picture: numpy.ndarray, number: int) -> Gst.Buffer:
    """Height x width x 3, uint8. GStreamer's lines of RGB begin at multiples of four bytes."""
    height, width, _ = picture.shape
    lines = numpy.zeros((height, (3 * width + 3) // 4 * 4), numpy.uint8)
    lines[:, : 3 * width] = picture.reshape(height, 3 * width)
    buffer = Gst.Buffer.new_wrapped(lines.tobytes())
    buffer.pts, buffer.duration = number * FRAME, FRAME
    return buffer


def results(pictures: Iterable[numpy.ndarray], elements: str = "upiencoder ! upidetect") -> Iterator[GstUpi.Content]:
    """What the elements know of each picture; all are of one size."""
    pipeline = source = sink = None
    try:
        for number, picture in enumerate(pictures):
            if pipeline is None:
                height, width, _ = picture.shape
                caps = f"video/x-raw,format=RGB,width={width},height={height},framerate=25/1"
                head, tail = f"appsrc name=in format=time caps={caps}", "appsink name=out sync=false"
                pipeline = Gst.parse_launch(f"{head} ! {elements} ! {tail}")
                source, sink = pipeline.get_by_name("in"), pipeline.get_by_name("out")
                pipeline.set_state(Gst.State.PLAYING)
            source.push_buffer(buffer_of(picture, number))
            if (sample := sink.pull_sample()) is None:
                message = pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
                raise RuntimeError(message.parse_error()[0].message if message else "the stream ended")
            yield GstUpi.buffer_get_content(sample.get_buffer())
    finally:
        if pipeline is not None:
            pipeline.set_state(Gst.State.NULL)


def main() -> None:
    Gst.init(None)
    random = numpy.random.default_rng(1)
    pictures = (random.integers(0, 256, (240, 320, 3), numpy.uint8) for _ in range(5))
    for number, content in enumerate(results(pictures)):
        found = [content.get_object(i) for i in range(content.get_n_objects())]
        print(number, ", ".join(f"{thing.label} {thing.score:.2f}" for thing in found) or "nothing")


if __name__ == "__main__":
    main()
