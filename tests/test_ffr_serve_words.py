"""What is typed and what a config file holds: one line that names nobody, or options."""

import socket

import pytest
import serve_program
from command_line import refused
from serve_program import (
    HOST,
)

from ffr.errors import ConfigError
from ffr.serve.options import options_from


def test_bad_words_end_with_one_line_that_names_nobody(tmp_path):
    full, out = tmp_path / "full", tmp_path / "out"
    full.mkdir()
    (full / "letter").write_text("")
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        for folder, words, why in (
            (out, ["--port", port], f"port {port} is taken"),
            (out, ["--status-port", port, "--port", 0], f"port {port} is taken"),
            (out, ["--host", "192.0.2.1", "--status-port", 0], "no address 192.0.2.1"),
            (out, ["--watch", tmp_path, "--port", 0], "lie in one another"),
            (full, [], "of no ffr serve"),
            (full / "letter", [], "is a file"),
            ("/proc/none", [], "no folder for the service"),
        ):
            assert why in refused("serve", "--out", folder, *words)
    assert "no earlier run" in refused("send", full, "--send-to", "PACS@h:1")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"port": 70000}, "--port: input should be less than"),
        ({"aet": "A" * 17}, "--aet must be"),
        ({"allow_aet": ["A", ""]}, "--allow-aet must be"),
        ({"settle_s": -1}, "--settle-s: input should be"),
        ({"tls_cert": "x"}, "both --tls-cert and --tls-key"),
        ({"tls_ca": "x"}, "--tls-ca has no effect"),
        ({"send_tls": True}, "without --send-to"),
        ({"host": ""}, "--host|host"),
    ],
)
def test_options_that_make_no_sense_are_refused(words, why):
    with pytest.raises(ConfigError, match=why):
        options_from(words)


def test_a_config_file_that_makes_no_sense_is_refused_without_its_words(tmp_path):
    file = tmp_path / "serve.toml"
    for text, why in (
        ("Wurzelbrunft = 3", "an entry that is no option"),
        ("settel_s = 3", "did you mean 'settle_s'"),
        ("settle_s = 'Wurzelbrunft'", "settle_s of the config file: input should be"),
        ("settle_s = ", "not TOML"),
    ):
        file.write_text(text)
        with pytest.raises(ConfigError, match=why) as caught:
            options_from({}, file)
        assert serve_program.unnamed(tmp_path, str(caught.value))
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        options_from({}, tmp_path / "none")


def test_a_config_file_holds_the_same_options_and_words_overrule_it(tmp_path):
    file = tmp_path / "serve.toml"
    file.write_text('port = 104\nallow_aet = ["A", "B"]\nwatch = "drop"\nsettle_s = 30\n')
    options = options_from({"port": 11113, "settle_s": None, "allow_aet": []}, file)
    assert (options.port, options.allow_aet, options.settle_s) == (11113, ("A", "B"), 30.0)
    assert options.watch == tmp_path / "drop"
    assert options.host == HOST
