"""Names that look like settings and are none."""

from pathlib import Path

from belvedere.kernel.misspelt import misspelt


def test_a_misspelt_setting_is_told_with_what_was_meant(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("PROT=8051\nCAPTURE_WITDH=800\nDJANGO_SECRET=1\nHOST=127.0.0.1\n")
    said = misspelt({"BELVEDERE_PREVEIWS": "0", "BELVEDERE_HOME": "/x", "HOSTS": "a", "PATH": "/bin"}, file)
    assert said == [
        "BELVEDERE_PREVEIWS (from environment) is no setting. Did you mean BELVEDERE_PREVIEWS?",
        "CAPTURE_WITDH (from .env) is no setting. Did you mean CAPTURE_WIDTH?",
        "PROT (from .env) is no setting. Did you mean PORT?",
    ]


def test_what_tests_and_our_own_processes_hand_on_is_no_mistake(tmp_path: Path) -> None:
    names = {"BELVEDERE_TEST_GRAFANA_URL": "x", "BELVEDERE_CRASH": "all", "BELVEDERE_SUPERVISED": "1"}
    assert misspelt(names, tmp_path / "absent") == []
    assert misspelt({"BELVEDERE_UTTERLY_ELSE": "1"}, tmp_path / "absent") == [
        "BELVEDERE_UTTERLY_ELSE (from environment) is no setting. `belvedere settings` lists them all."
    ]
