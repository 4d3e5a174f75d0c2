"""Which packets are needed, on roles made by hand."""

import av

from edge_aver.media.packets import Role, needed


def role(kind, layer=0, parameters=b"", simple=True):
    """I restarts, P is referenced, b is not."""
    return Role(simple=simple, parameters=parameters, restart=kind == "I", referenced=kind != "b", layer=layer)


def kept(roles, wanted):
    packets = [av.Packet(b"picture") for _ in roles]
    for pts, packet in enumerate(packets):
        packet.pts = pts
    return [packet.pts for packet in needed(packets, roles, wanted)]


def test_pictures_that_none_depends_on_are_left_out_unless_wanted():
    assert kept([role(kind) for kind in "IPbbPbb"], {3, 5}) == [0, 1, 3, 4, 5]


def test_nothing_is_decoded_after_the_last_wanted_picture_of_a_group():
    assert kept([role(kind) for kind in "IPPIPPIPP"], {1, 7}) == [0, 1, 6, 7]


def test_unreferenced_pictures_of_lower_layers_serve_higher_ones():
    assert kept([role("I"), role("b", 0), role("b", 1), role("b", 1), role("b", 1)], {4}) == [0, 1, 4]


def test_parameters_that_every_restart_repeats_are_no_reason_to_decode():
    assert kept([role("I", parameters=b"a"), role("P"), role("I", parameters=b"a"), role("P")], {2}) == [2]


def test_parameters_that_come_once_are_kept_with_all_they_stand_among():
    changing = [role("I", parameters=b"a"), role("P"), role("I", parameters=b"b"), role("P")]
    assert kept(changing, {2}) == [0, 1, 2]
    between = [role("I"), role("P"), role("b", parameters=b"c"), role("b"), role("I"), role("P")]
    assert kept(between, {5}) == [0, 1, 2, 4, 5]


def test_what_is_not_understood_is_kept():
    assert kept([role("I"), role("b", simple=False), role("b"), role("P")], {3}) == [0, 1, 3]
