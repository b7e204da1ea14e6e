"""Bad input that needs no cluster: the exit code, one sentence, the field and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Ended

CommandLine = Callable[..., Ended]
BuildHelm = Callable[[str], Path]

ALIAS_BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


@pytest.fixture
def helm(build_helm: BuildHelm) -> Path:
    """A program that says it is Helm and renders nothing: what is refused never gets there."""
    return build_helm('test "$1" = version && echo v4.3.1')


def _expect(ended: Ended, exit_code: int, *texts: str) -> None:
    assert ended.exit_code == exit_code, ended.stderr
    assert ended.stderr.startswith("Error: ")
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stdout == ""
    for text in texts:
        assert text in ended.stderr


@pytest.mark.parametrize(
    ("slug", "problem"),
    [
        ("", "is empty"),
        ("a" * 41, "is 41 characters long, at most 40 are allowed"),
        ("Acme", "has an upper-case letter"),
        ("ac_me", "has a character that a DNS label cannot have: _"),
        ("ac.me", "has a character that a DNS label cannot have: ."),
        ("-acme", "starts or ends with a dash"),
        ("api", "is reserved for the platform itself"),
        ("äcme", "has a character outside ASCII"),
        ("../etc", "looks like a path"),
    ],
)
@pytest.mark.parametrize("command", ["install-tenant", "show-tenant", "uninstall-tenant"])
def test_a_bad_slug_is_refused_before_anything_is_looked_for(
    command_line: CommandLine, command: str, slug: str, problem: str
) -> None:
    _expect(command_line(command, "--", slug), 2, f"field slug: {slug!r} {problem}", "A slug is")


@pytest.mark.parametrize(
    ("assignment", "problem", "remedy"),
    [
        ("replica=2", "field replica: the chart has no such value", "Did you mean replicas?"),
        ("image.tags=x", "field image.tags: the chart has no such value", "Did you mean tag?"),
        ("replicas=many", "field replicas: many is no integer", "a number of pods"),
        ("replicas=-1", "field replicas: -1 must be at least 0", "a number of pods"),
        ("env.A=1", "field env.A: 1 is no", ""),
        (
            "resources.limits.memory=lots",
            "field resources.limits.memory: lots does not have the required form",
            "a quantity of Kubernetes",
        ),
        ("host=UPPER.wareit.ai", "field host: UPPER.wareit.ai does not have", "in lower case"),
        ("image.digest=sha256:1", "field image.digest: sha256:1 does not have", "64 hexadecimal"),
        ("slug=other", "field slug: the values name another tenant, other", "Remove it"),
        ("slug=api", "field slug: api is reserved or excluded", "no reserved name"),
    ],
)
def test_a_value_that_the_chart_does_not_allow_is_refused(
    command_line: CommandLine, helm: Path, assignment: str, problem: str, remedy: str
) -> None:
    ended = command_line("render-tenant", "acme", "--helm", helm, "--set", assignment)
    _expect(ended, 2, f"tenant acme: {problem}", remedy)


@pytest.mark.parametrize(
    "assignment", ["replicas", "=1", "a..b=1", "tolerations={x", "args[x]=1", "", "replicas=1,"]
)
def test_what_is_no_assignment_is_refused(command_line: CommandLine, assignment: str) -> None:
    ended = command_line("install-tenant", "acme", "--set", assignment)
    _expect(ended, 2, "field --set: ", "is no assignment", "Write --set key.subkey=value")


def test_the_release_managers_own_key_is_refused(command_line: CommandLine) -> None:
    ended = command_line("install-tenant", "acme", "--set", "releaseManager.profile=x")
    _expect(ended, 2, "tenant acme: field releaseManager: --set sets it", "Remove it")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read: No such file or directory"),
        ("a: [1,\n", "is not YAML"),
        ("a: !!python/object/apply:os.system [ls]\n", "has a tag in line 1"),
        (ALIAS_BOMB, "has an anchor or alias in line 1"),
        ("- a\n", "holds no mapping of names to values"),
    ],
    ids=["missing", "not YAML", "tag", "alias bomb", "list"],
)
@pytest.mark.parametrize("option", ["-f", "--settings"])
def test_a_file_that_holds_no_plain_values_is_refused(
    command_line: CommandLine, tmp_path: Path, option: str, content: str | None, problem: str
) -> None:
    path = tmp_path / "given.yaml"
    if content is not None:
        path.write_text(content)
    ended = command_line("install-tenant", "acme", option, path)
    _expect(ended, 2, f"field {option}: {path} {problem}")


def test_a_folder_as_values_file_is_refused(command_line: CommandLine, tmp_path: Path) -> None:
    _expect(command_line("install-tenant", "acme", "-f", tmp_path), 2, "cannot be read")


def test_an_unknown_setting_in_the_fleet_file_is_refused(
    command_line: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "fleet.yaml").write_text("namspace: x\n")
    _expect(command_line("show-settings"), 2, "fleet.yaml", "'namspace'", "Known names: namespace")


def test_an_unknown_profile_is_refused_with_the_known_ones(
    command_line: CommandLine, helm: Path
) -> None:
    ended = command_line("render-tenant", "acme", "--helm", helm, "--profile", "huge")
    _expect(ended, 2, "field profile: ", "has no profile 'huge'", "default, openclaw")


@pytest.mark.parametrize(
    ("chart", "problem"),
    [
        ("/nope", "field chart: /nope is no chart: No such file or directory"),
        ("oci://r.example.org/aware-tenant", "names no version"),
    ],
)
def test_a_chart_that_is_not_there_is_named(
    command_line: CommandLine, helm: Path, chart: str, problem: str
) -> None:
    ended = command_line("render-tenant", "acme", "--helm", helm, "--chart", chart)
    _expect(ended, 2, problem)


@pytest.mark.parametrize("command", ["install-tenant", "render-tenant"])
def test_a_missing_helm_is_named(command_line: CommandLine, command: str) -> None:
    ended = command_line(command, "acme", "--helm", "no-such-helm")
    _expect(ended, 2, "field --helm: there is no program 'no-such-helm'", "Install Helm 4.2.2")


def test_a_helm_that_is_too_old_is_refused(
    command_line: CommandLine, build_helm: BuildHelm
) -> None:
    ended = command_line("render-tenant", "acme", "--helm", build_helm("echo v3.1.0"))
    _expect(ended, 2, "is version v3.1.0, too old", "Install Helm 4.2.2 or newer")


def test_a_missing_kubeconfig_is_named(
    command_line: CommandLine, helm: Path, tmp_path: Path
) -> None:
    missing = tmp_path / "nope"
    ended = command_line("list-tenants", "--helm", helm, "--kubeconfig", missing)
    _expect(ended, 2, f"field --kubeconfig: there is no file {missing}", "Name one with")


def test_no_kubeconfig_at_all_is_told(command_line: CommandLine, helm: Path) -> None:
    ended = command_line("list-tenants", "--helm", helm)
    _expect(ended, 2, "field --kubeconfig: there is no file ~/.kube/config", "KUBECONFIG")


KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{name: here, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: me, user: {token: secret-token}}]
contexts: [{name: known, context: {cluster: here, user: me}}]
current-context: known
"""


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    """A kubeconfig whose API server does not answer."""
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG)
    return path


def test_an_unknown_context_is_named_with_the_known_ones(
    command_line: CommandLine, helm: Path, kubeconfig: Path
) -> None:
    ended = command_line(
        "list-tenants", "--helm", helm, "--kubeconfig", kubeconfig, "--context", "prod"
    )
    _expect(ended, 2, "field --context: ", "has no context 'prod'", "Choose one of: known")


@pytest.mark.parametrize("content", ["", "a: [\n", "- a\n", "just text", "contexts: 7\n"])
def test_a_kubeconfig_that_is_none_is_told(
    command_line: CommandLine, helm: Path, kubeconfig: Path, content: str
) -> None:
    kubeconfig.write_text(content)
    ended = command_line("list-tenants", "--helm", helm, "--kubeconfig", kubeconfig)
    _expect(ended, 2, "field --")


def test_an_api_server_that_does_not_answer_is_named(
    command_line: CommandLine, helm: Path, kubeconfig: Path
) -> None:
    ended = command_line("list-tenants", "--helm", helm, "--kubeconfig", kubeconfig)
    _expect(ended, 4, "no answer from the API server https://127.0.0.1:1", "Check the cluster")
    assert "secret-token" not in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["no-such-command"], "No such command 'no-such-command'"),
        (["install-tenant"], "Missing argument 'SLUG'"),
        (["list-tenants", "--nope"], "No such option '--nope'"),
        (["install-tenant", "acme", "--timeout", "soon"], "'soon' is no duration: write 90s"),
        (["install-tenant", "acme", "--timeout", "5"], "'5' is no duration"),
        (["scale-tenant", "acme", "--replicas", "-1"], "-1 is not in the range"),
        (["scale-tenant", "acme"], "Missing option '--replicas'"),
        (["rollback-tenant", "acme", "--to-revision", "0"], "0 is not in the range"),
        (["list-tenants", "-o", "xml"], "'xml' is not one of"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(
    command_line: CommandLine, arguments: list[str], problem: str
) -> None:
    _expect(command_line(*arguments), 2, problem)
