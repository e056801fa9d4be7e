#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The examples and what they stand on, from Python: masks from an appsink, objects that outlive their pipeline, changes while
playing, frames from numpy.

usage: test-introspection.py EXAMPLES; on the tiny model of the element tests."""

import gc
import sys
import traceback

import gi
import numpy

gi.require_version("Gst", "1.0")
gi.require_version("GstUpi", "1.0")
gi.require_version("Upi", "1.0")
from gi.repository import Gst, GstUpi, Upi  # noqa: E402

sys.path.insert(0, sys.argv[1])
import live_labels  # noqa: E402
import masks  # noqa: E402
import numpy_frames  # noqa: E402

SOURCE = "videotestsrc num-buffers=5 ! video/x-raw,width=96,height=64,framerate=25/1"
ENCODER = "upiencoder model=tiny device=cpu threads=1 policy=block"
DETECT = "upidetect name=d labels=cat threshold=0 max-objects=3"


def objects(content: GstUpi.Content) -> list[GstUpi.Object]:
    return [content.get_object(i) for i in range(content.get_n_objects())]


def test_masks_from_appsink() -> None:
    pipeline = Gst.parse_launch(f"{SOURCE} ! {ENCODER} ! {DETECT} ! appsink name=frames sync=false")
    seen = list(masks.frames(pipeline))
    assert [pts for pts, _ in seen] == [i * Gst.SECOND // 25 for i in range(5)], seen
    for _, content in seen:
        found = objects(content)
        assert 0 < len(found) <= 3
        for thing in found:
            mask = masks.mask_of(thing)
            assert thing.label == "cat" and 0 <= thing.score <= 1 and mask is not None
            assert mask.shape == (thing.get_mask().rows, thing.get_mask().columns) and mask.dtype == numpy.uint8


def test_objects_outlive() -> None:
    """Objects, masks and their cells stay when buffer, content and pipeline are gone."""
    pipeline = Gst.parse_launch(f"{SOURCE} ! {ENCODER} ! {DETECT} ! appsink name=frames sync=false")
    kept = [thing for _, content in masks.frames(pipeline) for thing in objects(content)]
    cells = [masks.mask_of(thing).copy() for thing in kept]
    views = [masks.mask_of(thing) for thing in kept]
    labels = [thing.label for thing in kept]
    del pipeline
    gc.collect()
    assert labels == ["cat"] * len(kept) and kept
    assert [thing.label for thing in kept] == labels
    again = [masks.mask_of(thing) for thing in kept]
    del kept
    gc.collect()
    for before, view, after in zip(cells, views, again, strict=True):
        assert (before == view).all() and (before == after).all()


def test_changes_while_playing() -> None:
    source = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=96,height=64,framerate=100/1"
    pipeline = live_labels.build(source, "upiencoder model=tiny device=cpu threads=1")
    Gst.util_set_object_arg(pipeline.get_by_name("detect"), "threshold", "0")
    bus = pipeline.get_bus()
    pipeline.set_state(Gst.State.PLAYING)
    try:
        wanted = ["red car, Tür", "dog"]
        for labels in wanted:
            live_labels.change(pipeline, labels)
            assert pipeline.get_by_name("detect").get_property("labels") == labels
        rules = '{"rules":{"crowd":{"type":"count","above":0}}}'
        live_labels.change(pipeline, rules)
        while True:  # an event of the new rule
            message = bus.timed_pop_filtered(30 * Gst.SECOND, Gst.MessageType.ELEMENT | Gst.MessageType.ERROR)
            assert message is not None and message.type != Gst.MessageType.ERROR, live_labels.describe(message)
            text = live_labels.describe(message)
            if text is not None and "crowd" in text:
                break
        live_labels.change(pipeline, "{")
        warning = bus.timed_pop_filtered(30 * Gst.SECOND, Gst.MessageType.WARNING | Gst.MessageType.ERROR)
        assert warning is not None and warning.type == Gst.MessageType.WARNING
    finally:
        pipeline.set_state(Gst.State.NULL)


def test_frames_from_numpy() -> None:
    random = numpy.random.default_rng(2)
    pictures = [random.integers(0, 256, (49, 65, 3), numpy.uint8) for _ in range(3)]  # lines with padding
    contents = list(numpy_frames.results(pictures, f"{ENCODER} ! {DETECT}"))
    assert len(contents) == 3
    assert all(content.is_encoded() and objects(content) for content in contents)
    assert [content.get_inference_pts() for content in contents] == [i * numpy_frames.FRAME for i in range(3)]
    assert objects(contents[0])[0].score != objects(contents[1])[0].score


def test_same_picture_same_result() -> None:
    """The pixels arrive as they are: what a file has, an array has."""
    picture = numpy.zeros((48, 64, 3), numpy.uint8)
    picture[:, 32:] = 255
    one, other = (objects(content) for content in numpy_frames.results([picture, picture.copy()], f"{ENCODER} ! {DETECT}"))
    assert [thing.score for thing in one] == [thing.score for thing in other]


def test_meta_by_hand() -> None:
    buffer = Gst.Buffer.new_allocate(None, 16, None)
    assert GstUpi.buffer_get_meta(buffer) is None and GstUpi.buffer_get_content(buffer) is None
    GstUpi.buffer_add_meta(buffer, GstUpi.Content.new(None, 7, GstUpi.ContentFlags.NONE))
    content = GstUpi.buffer_get_content(buffer)
    assert GstUpi.buffer_get_meta(buffer).get_content().get_inference_pts() == 7
    del buffer
    gc.collect()
    assert content.get_inference_pts() == 7
    for name in ("object", "caption", "event", "rule"):
        assert getattr(content, f"get_n_{name}s")() == 0
        assert getattr(content, f"get_{name}")(0) is None


def test_captions_and_rules() -> None:
    """Each item in its turn: a caption and its regions, a rule and its points, an event."""
    zone = '"all":{"type":"zone","polygon":[[0,0],[1,0],[1,1],[0,1]]}'
    rules = f'{{"rules":{{{zone},"some":{{"type":"count","above":0}}}}}}'.replace('"', '\\"')
    elements = f'{ENCODER} ! {DETECT} ! upirules rules="{rules}" ! upicaption interval=0'
    pipeline = Gst.parse_launch(f"{SOURCE} ! {elements} ! appsink name=frames sync=false")
    seen = [content for _, content in masks.frames(pipeline)]
    assert seen[-1].get_n_captions() == 1 and seen[-1].get_caption(0).text is not None
    assert seen[-1].get_caption(0).get_region(seen[-1].get_caption(0).n_regions) is None
    by_name = {rule.name: rule for rule in (seen[-1].get_rule(i) for i in range(seen[-1].get_n_rules()))}
    assert set(by_name) == {"all", "some"} and by_name["all"].kind == GstUpi.RuleKind.ZONE
    assert by_name["all"].get_point(2) == (True, 1.0, 1.0) and by_name["all"].get_point(4)[0] is False
    events = [content.get_event(i) for content in seen for i in range(content.get_n_events())]
    del seen, pipeline
    gc.collect()
    assert [event.rule for event in events] == ["some"] and events[0].type == GstUpi.EventType.NEW and events[0].count > 0


def test_classes() -> None:
    elements = f'{ENCODER} ! upiclassify labels="cat, dog, bird" top=2'
    pipeline = Gst.parse_launch(f"{SOURCE} ! {elements} ! appsink name=frames sync=false")
    seen = [content for _, content in masks.frames(pipeline)]
    first = [seen[0].get_class(i) for i in range(seen[0].get_n_classes())]
    assert seen[0].get_class(2) is None
    del seen, pipeline
    gc.collect()
    assert len(first) == 2 and {item.label for item in first} < {"cat", "dog", "bird"}
    assert first[0].probability >= first[1].probability and first[0].flags & GstUpi.ClassFlags.HOLDS


def test_masks_as_bytes() -> None:
    mask = Upi.Mask.new(3, 2)
    data = mask.get_bytes()
    del mask
    gc.collect()
    assert data.get_data() == bytes(6)


def main() -> int:
    Gst.init(None)
    tests = {name: function for name, function in globals().items() if name.startswith("test_")}
    print(f"1..{len(tests)}")
    failed = 0
    for number, (name, function) in enumerate(tests.items(), 1):
        title = f"{number} /introspection/{name.removeprefix('test_').replace('_', '-')}"
        try:
            function()
            print(f"ok {title}")
        except Exception:
            failed += 1
            print(f"not ok {title}")
            for line in traceback.format_exc().splitlines():
                print(f"# {line}")
        sys.stdout.flush()
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
