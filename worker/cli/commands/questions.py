"""Questions to the database: who pays, who paid, how accounts stand, how far the lanes have come."""

from worker.cli.options import Account, At, Json, Organization, Project


def payer(organization: Organization, project: Project, at: At = None, as_json: Json = False) -> None:
    """Tell who pays for a project, now or at any past instant.

    An answer is final once the worker has decided every command up to that instant; it never changes after that.
    Nobody paying is an answer too: exit code 0, and `account` null with --json.

    For example:
        billing-worker payer acme web

        billing-worker payer acme web --at 2026-11-01T00:00:00+01:00 --json
    """
    from worker.cli.payer import show_payer

    show_payer(organization, project, at, as_json=as_json)


def history(organization: Organization, project: Project, as_json: Json = False) -> None:
    """Show everybody who ever paid for a project.

    Oldest first; gaps are times when nobody paid.

    For example:
        billing-worker history acme web
    """
    from worker.cli.history import show_history

    show_history(organization, project, as_json=as_json)


def account(organization: Organization, account: Account, as_json: Json = False) -> None:
    """Show an account as it stands.

    Its phase, terms, means of payment, holds, and how many projects it pays for. With --json it is what
    `billing.accounts` carries, with activeBindings, lastBindingUntil and pastHolds besides.

    For example:
        billing-worker account acme main
    """
    from worker.cli.account import show_account

    show_account(organization, account, as_json=as_json)


def projects(organization: Organization, account: Account, at: At = None, as_json: Json = False) -> None:
    """List the projects that an account pays for.

    Now or at a past instant, in byte order. With --json a line for each project.

    For example:
        billing-worker projects acme main --at 2026-11-01T00:00:00Z
    """
    from worker.cli.projects import show_projects

    show_projects(organization, account, at, as_json=as_json)


def lanes(as_json: Json = False) -> None:
    """Show how far each partition of commands has come.

    And how much it has to go, and why one is stopped. `lag` is what was sent and not decided yet; unknown while Kafka
    does not answer. With --json a line for each lane.

    For example:
        billing-worker lanes
    """
    from worker.cli.lanes import show_lanes

    show_lanes(as_json=as_json)
