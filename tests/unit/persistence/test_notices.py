from lbaas.persistence.notices import Notice


def test_a_notice_survives_the_wire() -> None:
    notice = Notice("change", "0190-abc", 42)

    assert Notice.decode(notice.encode()) == notice
