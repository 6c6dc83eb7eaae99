import subprocess
import sys

import pytest

import harness


@pytest.mark.parametrize("name", sorted(harness.__all__))
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(harness, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'harness' has no attribute 'nonsense'"):
        _ = harness.nonsense


def test_importing_the_harness_imports_nothing_heavy() -> None:
    heavy = "{'trio', 'psutil', 'rich', 'typer', 'hypothesis'}"
    program = f"import sys, harness; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "[]\n"


def test_watching_without_trio_does_not_import_trio() -> None:
    program = "import sys, harness; harness.watch; harness.leaks; print('trio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "False\n"
