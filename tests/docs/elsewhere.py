"""Blocks of commands that no test executes as they stand: by page and first line, each with the reason.

Whatever is not here is executed, and `test_coverage.py` finds the test that does it.
"""

NOT_AS_IT_STANDS = {
    ("README.md", "make run"): "stays up until Ctrl-C; tests/stories/test_demo.py runs the same story to its end",
    ("README.md", "pip install --require-hashes -r requirements/runtime.txt && pip install --no-deps ."): (
        "installs from an index; what follows in the block tests/stories/test_readme.py executes"
    ),
    ("CONTRIBUTING.md", "make setup"): "makes .venv, in which the tests run",
    ("CONTRIBUTING.md", "make check"): "runs this test",
    ("CONTRIBUTING.md", ".venv/bin/python -m reference"): (
        "writes into the tree; tests/docs/test_reference.py has it write elsewhere"
    ),
    ("docs/start.md", "make run"): "as in the README: tests/stories/test_demo.py",
    ("docs/operating.md", "pip install --require-hashes -r requirements/runtime.txt && pip install --no-deps ."): (
        "installs from an index"
    ),
    ("docs/security.md", "billing-worker topics plan --json --worker-principal User:billing-worker"): (
        "gives rights with an administrator's kafka-acls; tests/security/test_rights.py gives those of the same "
        "command, and shows that no more is needed"
    ),
    ("docs/subscribing.md", "export BILLING_KAFKA__BOOTSTRAP_SERVERS=localhost:9092"): (
        "goes on until it is ended; tests/examples/test_attribute_usage.py runs it on topics of its own"
    ),
    (
        "docs/deploying.md",
        "docker build --build-arg BUILD_IMAGE=python:3.13 --tag registry.example/billing-worker:0.1.0 .",
    ): ("pushes to a registry; tests/deploy/test_image.py builds the image and runs it, where there is an engine"),
    ("docs/deploying.md", "docker compose up --build -d"): (
        "needs an engine; tests/containers/test_compose.py does it where there is one, "
        "tests/deploy/test_compose_monitoring.py with the profile"
    ),
    (
        "docs/deploying.md",
        "kubectl --namespace billing create secret generic billing-kafka --from-file=password=kafka-password",
    ): "needs a cluster; tests/deploy/test_chart.py renders the chart with the values of the page",
    ("docs/deploying.md", "helm upgrade --namespace billing billing deploy/helm/billing-worker -f values.yaml"): (
        "needs a cluster; tests/deploy/test_rolling_upgrade.py upgrades processes in the same steps"
    ),
    ("docs/traces.md", "pip install --require-hashes -r requirements/traces.txt"): (
        "installs from an index and needs a collector; tests/ops/test_traces.py runs workers so, with one of its own"
    ),
    ("docs/recovery.md", ".venv/bin/python -m benchmarks.recovery --events 1000000"): (
        "measures, for minutes, on a machine that does nothing else"
    ),
}
