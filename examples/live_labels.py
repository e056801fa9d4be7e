#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Labels and rules that change while a video plays: examples/live_labels.py FILE, then type what to look for.

A line is a list of labels ("person, red car"); one that begins with { is the text of upirules' rules."""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GLib", "2.0")
from gi.repository import GLib, Gst  # noqa: E402


def build(source: str, encoder: str = "upiencoder") -> Gst.Pipeline:
    rules = r'{\"rules\":{\"any\":{\"type\":\"count\",\"above\":0}}}'
    elements = f'{encoder} ! upidetect name=detect ! upirules name=rules rules="{rules}"'
    return Gst.parse_launch(f"{source} ! videoconvert ! {elements} ! fakesink sync=true")


def change(pipeline: Gst.Pipeline, line: str) -> None:
    """Takes over between two frames, whole; what cannot be read is a warning on the bus, and the old stays."""
    name, what = ("rules", "rules") if line.startswith("{") else ("detect", "labels")
    pipeline.get_by_name(name).set_property(what, line)


def describe(message: Gst.Message) -> str | None:
    """An event of a rule, a warning or an error in words; None: anything else."""
    structure = message.get_structure()
    if message.type == Gst.MessageType.ELEMENT and structure.get_name() == "upi-event":
        return structure.to_string()
    if message.type == Gst.MessageType.WARNING:
        return message.parse_warning()[0].message
    if message.type == Gst.MessageType.ERROR:
        return message.parse_error()[0].message
    return None


def main(source: str) -> None:
    Gst.init(None)
    pipeline, loop = build(source), GLib.MainLoop()

    def on_message(_bus: Gst.Bus, message: Gst.Message) -> None:
        if text := describe(message):
            print(text)
        if message.type in (Gst.MessageType.EOS, Gst.MessageType.ERROR):
            loop.quit()

    def on_line(channel: GLib.IOChannel, _condition: GLib.IOCondition) -> bool:
        line = channel.readline()
        if line.strip():
            change(pipeline, line.strip())
        return bool(line)

    pipeline.get_bus().add_signal_watch()
    pipeline.get_bus().connect("message", on_message)
    GLib.io_add_watch(GLib.IOChannel.unix_new(sys.stdin.fileno()), GLib.PRIORITY_DEFAULT, GLib.IOCondition.IN, on_line)
    pipeline.set_state(Gst.State.PLAYING)
    try:
        loop.run()
    finally:
        pipeline.set_state(Gst.State.NULL)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(f'filesrc location="{sys.argv[1]}" ! decodebin')
