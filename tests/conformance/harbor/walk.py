"""Walks the embedded Harbor with the client `harborapi`, which validates every answer.

Arguments: URL, account, password, certificate file (or "-"). Prints one line per call; the first answer
that does not validate, or is not what it should be, ends it with a traceback.
"""

import asyncio
import sys

from harborapi import HarborAsyncClient
from harborapi.exceptions import Conflict, Forbidden, NotFound, StatusError, Unauthorized
from harborapi.models import (
    Access,
    Label,
    ProjectReq,
    QuotaUpdateReq,
    ResourceList,
    RobotCreate,
    RobotPermission,
    Schedule,
    ScheduleObj,
    Tag,
    WebhookPolicy,
    WebhookTargetObject,
)

url, user, password, authority = sys.argv[1:5]


def client(user, password):
    verify = authority if authority != "-" else True
    return HarborAsyncClient(
        url=f"{url}/api/v2.0", username=user, secret=password, verify=verify, validate=True
    )


async def refused(kind, call):
    try:
        await call
    except kind:
        return
    raise AssertionError(f"expected {kind.__name__}")


async def read(harbor):
    health = await harbor.health_check()
    assert health.status == "healthy" and len(health.components) == 8
    assert await harbor.ping() == "Pong"
    info = await harbor.get_system_info()
    assert info.harbor_version and info.registry_url
    await harbor.get_system_volume_info()
    await harbor.get_statistics()
    await harbor.get_current_user()
    await harbor.search("shop")
    await harbor.get_scanners()
    await harbor.get_audit_logs(limit=20)
    await harbor.get_gc_jobs()
    await harbor.get_gc_schedule()
    await harbor.get_registries()
    await harbor.get_replication_policies()
    for execution in await harbor.get_replications():
        await harbor.get_replication_tasks(execution.id)
    await harbor.get_cve_allowlist()
    await harbor.get_labels(scope="g")
    await harbor.get_scan_all_metrics()
    await harbor.get_scan_all_schedule()
    print("system ok")


async def walk(harbor):
    seen = 0
    projects = await harbor.get_projects(with_detail=True)
    assert projects
    for project in projects:
        await harbor.get_project(project.name)
        await harbor.get_project_summary(project.project_id)
        await harbor.get_project_logs(project.name)
        await harbor.get_webhook_policies(project.name)
        await harbor.get_project_immutable_tag_rules(project.name)
        await harbor.get_project_scanner(project.name)
        for repository in await harbor.get_repositories(project.name):
            _, name = repository.name.split("/", 1)
            await harbor.get_repository(project.name, name)
            artifacts = await harbor.get_artifacts(
                project.name,
                name,
                with_tag=True,
                with_label=True,
                with_scan_overview=True,
                with_accessory=True,
                with_immutable_status=True,
            )
            assert len(artifacts) == repository.artifact_count
            for artifact in artifacts:
                one = (project.name, name, artifact.digest)
                await harbor.get_artifact(*one, with_scan_overview=True)
                await harbor.get_artifact_tags(*one)
                await harbor.get_artifact_accessories(*one)
                if artifact.scan_overview:
                    await harbor.get_artifact_vulnerabilities(*one)
                else:
                    await refused(NotFound, harbor.get_artifact_vulnerabilities(*one))
                if not artifact.references:
                    await harbor.get_artifact_build_history(*one)
                seen += 1
    assert seen > 3
    for quota in await harbor.get_quotas():
        assert (await harbor.get_quota(quota.id)).id == quota.id
    print("walk ok", seen)
    return projects[0].name


async def change(harbor):
    await harbor.create_project(ProjectReq(project_name="walked", public=False, storage_limit=1 << 20))
    await refused(Conflict, harbor.create_project(ProjectReq(project_name="walked")))
    project = await harbor.get_project("walked")
    assert await harbor.project_exists("walked")
    quota = next(one for one in await harbor.get_quotas() if one.hard.root["storage"] == 1 << 20)
    await harbor.update_quota(quota.id, QuotaUpdateReq(hard=ResourceList({"storage": 1 << 21})))
    label = await harbor.create_label(Label(name="walked", color="#fff", scope="g"))
    await harbor.delete_label(int(label.rsplit("/", 1)[1]))
    made = await harbor.create_robot(
        RobotCreate(
            name="walker",
            level="project",
            duration=5,
            permissions=[
                RobotPermission(
                    kind="project",
                    namespace="walked",
                    access=[Access(resource="repository", action="pull")],
                )
            ],
        )
    )
    assert made.secret and made.name == "robot$walked+walker"
    robot = await harbor.get_robot(made.id)
    assert not robot.secret
    refreshed = await harbor.refresh_robot_secret(made.id, "")
    assert refreshed.secret and refreshed.secret != made.secret
    async_robot = client(made.name, refreshed.secret)
    await refused(StatusError, async_robot.get_current_user())
    await refused(Forbidden, async_robot.get_quotas())
    assert await harbor.get_robots()
    await harbor.create_webhook_policy(
        "walked",
        WebhookPolicy(
            name="hook",
            enabled=True,
            event_types=["PUSH_ARTIFACT"],
            targets=[WebhookTargetObject(type="http", address="http://127.0.0.1:1/x")],
        ),
    )
    await harbor.delete_robot(made.id)
    await refused(NotFound, harbor.get_robot(made.id))
    await harbor.delete_project("walked")
    await refused(NotFound, harbor.get_project("walked"))
    print("changes ok", project.project_id)


async def scan(harbor, project):
    repository = (await harbor.get_repositories(project))[0]
    name = repository.name.split("/", 1)[1]
    artifact = (await harbor.get_artifacts(project, name))[0]
    one = (project, name, artifact.digest)
    await harbor.scan_artifact(*one)
    await refused(Conflict, harbor.scan_artifact(*one))
    # The client's own method sends no body, which Harbor has required since 2.11.
    stop = f"/projects/{project}/repositories/{name.replace('/', '%252F')}/artifacts/{artifact.digest}/scan/stop"
    await harbor.post(stop, json={"scan_type": "vulnerability"})
    await harbor.create_artifact_tag(*one, Tag(name="walked"))
    await refused(Conflict, harbor.create_artifact_tag(*one, Tag(name="walked")))
    await harbor.delete_artifact_tag(*one, "walked")
    await harbor.create_gc_schedule(Schedule(schedule=ScheduleObj(type="Manual"), parameters={"dry_run": True}))
    print("scan ok", repository.name)


async def main():
    harbor = client(user, password)
    await read(harbor)
    project = await walk(harbor)
    await change(harbor)
    await scan(harbor, project)
    await refused(Unauthorized, client(user, "wrong").get_current_user())
    await refused(NotFound, harbor.get_repository(project, "nobody/has/this"))
    print("done")


asyncio.run(main())
