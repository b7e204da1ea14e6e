"""The commands of docs/operations.md, executed as they stand there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from tests.containers.site import INSTALL_API, INSTALL_PLATFORM, Site

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()


def read_section(heading: str) -> str:
    """Return one section of the page."""
    return PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def read_commands(heading: str) -> list[str]:
    """Return the commands of one section."""
    found = re.findall(r"^\$ (.+)$", read_section(heading), re.MULTILINE)
    assert found
    return found


def run_section(site: Site, heading: str, changed: Mapping[str, str] | None = None) -> list[str]:
    """Run the commands of one section; return what each printed. changed: other words for some."""
    printed = []
    text = "\n".join(read_commands(heading))
    for there, here in (changed or {}).items():
        text = text.replace(there, here)
    for line in text.splitlines():
        program, *arguments = shlex.split(line)
        if program == "release-manager":
            printed.append(site.run(*arguments))
        else:
            assert (program, arguments[:2]) == ("kubectl", ["-n", "aware"])
            printed.append(site.operator.kubectl(*arguments[2:]))
    return printed


def test_a_backup_now_and_back_again(site: Site) -> None:
    assert [site.visit() for _ in range(3)] == [1, 2, 3]
    shown = run_section(site, "A backup now, and back again")[-1]
    assert all(" ready " in f"{line} " for line in shown.splitlines() if line.startswith("api"))
    assert site.visit() == 4


def test_new_secrets(site: Site) -> None:
    before = site.read_secret("aware-secrets")
    run_section(site, "New secrets")
    after = site.read_secret("aware-secrets")
    assert before.keys() == after.keys()
    assert not set(before.values()) & set(after.values())
    assert site.visit() == 1


def test_stop_the_api_and_start_it_again(site: Site) -> None:
    before = site.list_pods("api")
    run_section(site, "Stop the API and start it again")
    assert not site.list_pods("api") & before
    assert site.visit() == 1


def test_the_node_is_lost(site: Site) -> None:
    assert [site.visit() for _ in range(2)] == [1, 2]
    backup = site.operator.read("backup-database")["id"]
    site.run("uninstall-api", "--yes")
    # All but the backups, which are where the node is not.
    site.run("uninstall-platform", "--delete-data", "--yes")
    assert not site.operator.exists("secret", "postgres-passwords")

    here = {
        "install-platform": shlex.join(INSTALL_PLATFORM),
        "install-api": shlex.join(INSTALL_API),
    }
    printed = run_section(site, "The node is lost", here)
    assert backup in printed[1]
    assert site.visit() == 3


def test_another_major_version_of_postgres(site: Site, tmp_path: Path) -> None:
    """The procedure alone: there is one version of Postgres here."""
    assert [site.visit() for _ in range(2)] == [1, 2]
    heading = "Another major version of Postgres"
    (claim,) = re.findall(r"```yaml\n(.+?)```", read_section(heading), re.DOTALL)
    path = tmp_path / "data-postgres-19.yaml"
    path.write_text(claim)
    here = {
        path.name: str(path),
        "majorVersion=19": "majorVersion=15",
        "tag=19.0": "tag=15-stand-in",
    }
    run_section(site, heading, here)
    assert site.visit() == 3
    claims = site.operator.kubectl("get", "pvc", "-o", "name").split()
    assert {name.rpartition("/")[2] for name in claims} >= {"data-postgres-0", "data-postgres-19"}
    (volume,) = [
        each["persistentVolumeClaim"]["claimName"]
        for each in site.operator.get("pod", "postgres-0")["spec"]["volumes"]
        if each["name"] == "data"
    ]
    assert volume == "data-postgres-19"
