"""A worker lets go by itself of what is too old: an id whose time is over may be used anew."""

from tests.system.deployment import Deployment, command, ready_account
from tests.system.settling import until

OLDER = "UPDATE inbox SET at = at - interval '31 days' WHERE command_id = 'register-old'"


async def test_an_id_may_be_used_anew_when_its_time_is_over(deployment: Deployment) -> None:
    old, young = (command("acme", "project.register", f"register-{name}", project=name) for name in ("old", "young"))
    await deployment.publish("acme", ready_account("acme", "main"), old, young)
    with deployment.worker():
        await deployment.answers()
    async with deployment.engine() as engine, engine.begin() as connection:
        await connection.exec_driver_sql(OLDER)

    with deployment.worker(RETENTION__SWEEP_SECONDS="0.5") as worker:

        async def has_swept() -> bool:
            return bool(worker.said("swept"))

        await until(has_swept, "what is too old is gone")
        (swept,) = worker.said("swept")
        await deployment.publish("acme", old, young)
        *_, of_old, of_young = await deployment.answers()

    assert (swept["ids"], swept["journal_pieces"]) == (1, 0)
    assert of_old["data"]["duplicate"] is False
    assert of_young["data"]["duplicate"] is True
