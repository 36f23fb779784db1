"""A place to stop at that production has no need of: between the moment when a batch is in hand and its transaction."""

from tests.mutants.patches import Patch

PROBES = [
    Patch(
        "failpoints.py",
        '    BEFORE_COMMIT = "before-commit"\n',
        '    BATCH_BEGUN = "batch-begun"\n    BEFORE_COMMIT = "before-commit"\n',
    ),
    Patch(
        "lane/batch.py",
        "    async with parts.database.transaction() as transaction:\n",
        "    await pass_by(Failpoint.BATCH_BEGUN)\n    async with parts.database.transaction() as transaction:\n",
    ),
]
