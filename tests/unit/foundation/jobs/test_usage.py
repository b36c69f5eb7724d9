from include.foundation.jobs import usage


def test_what_a_process_took_is_told_in_seconds_and_bytes(monkeypatch, tmp_path):
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    monkeypatch.setattr(usage, "DEVICES", tmp_path)
    monkeypatch.setattr(usage, "STARTED", usage.time.monotonic() - 10)
    found = usage.used()
    assert 10 <= found.seconds < 60
    assert found.gpu_seconds == 2 * found.seconds
    assert found.cpu_seconds > 0
    assert 10e6 < found.memory_bytes < 1e12


def test_without_a_gpu_none_is_held(monkeypatch, tmp_path):
    monkeypatch.setattr(usage, "DEVICES", tmp_path)
    assert usage.used().gpu_seconds == 0
