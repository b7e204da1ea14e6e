"""The command line: flags to operations to output, and errors to exit codes."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Sequence

import click

from ..errors import OperationInterruptedError, ReleaseManagerError
from . import backups, capacity, change, cost, fleet, infrastructure, look, platform
from .output import close_stdout, print_error

# How many more objects there may be before they are searched for garbage.
GC_THRESHOLD = 100_000

EPILOG = """\b
Exit codes:
  0    done
  1    the operation failed, the cluster is consistent
  2    bad input, nothing was changed
  3    a rollout stopped itself
  4    the cluster is unreachable, or forbids it
  5    busy: somebody else is working on it
  130  interrupted

\b
Example:
  release-manager install-tenant acme
  release-manager list-tenants
"""


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
)
@click.option("-v", "--verbose", is_flag=True, help="Log what is done, on stderr")
@click.version_option(package_name="aware-release-manager")
def release_manager(*, verbose: bool) -> None:
    """Install, upgrade, repair and remove Aware's tenants, one Helm release each."""
    level = logging.INFO if verbose else logging.ERROR
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")


for command in (
    *platform.COMMANDS,
    *backups.COMMANDS,
    *change.COMMANDS,
    *fleet.COMMANDS,
    *look.COMMANDS,
    *infrastructure.COMMANDS,
    *capacity.COMMANDS,
    *cost.COMMANDS,
):
    release_manager.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    # A seventh of a short command is the garbage collector's vain search in what was imported,
    # while it is imported and once more when the process ends.
    gc.set_threshold(GC_THRESHOLD)
    code = run(arguments)
    gc.freeze()
    sys.exit(code)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        code = release_manager.main(arguments, prog_name="release-manager", standalone_mode=False)
    except ReleaseManagerError as error:
        print_error(error)
        return error.exit_code
    except click.exceptions.Exit as exc:
        return exc.exit_code
    except click.ClickException as exc:
        if isinstance(exc, click.exceptions.NoArgsIsHelpError):
            exc.show()
        else:
            # One line also where click lists the choices below each other.
            print_error(" ".join(exc.format_message().split()))
        return 2
    except (KeyboardInterrupt, click.Abort):
        print_error("interrupted; run the same command again to go on")
        return OperationInterruptedError.exit_code
    except BrokenPipeError:
        # The reader of our stdout has gone, as in "| head"; nothing is wrong here.
        close_stdout()
        return 0
    # click hands out what context.exit() was given, or what a command returned.
    return code if isinstance(code, int) else 0
