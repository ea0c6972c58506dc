"""Dagster: the export as an asset. Put sluice_client.py beside it."""

from dagster import (
    AssetExecutionContext,
    ConfigurableResource,
    Definitions,
    EnvVar,
    Failure,
    MaterializeResult,
    RetryPolicy,
    ScheduleDefinition,
    asset,
    define_asset_job,
)

from sluice_client import RequestFailed, RunFailed, Sluice


class SluiceResource(ConfigurableResource):
    url: str
    token: str

    def client(self) -> Sluice:
        return Sluice(self.url, self.token)


@asset(retry_policy=RetryPolicy(max_retries=3, delay=60))
def customers_in_lake(context: AssetExecutionContext, sluice: SluiceResource) -> MaterializeResult:
    # The run of Dagster and not the step's try: a retried step finds the run of the first and waits for it. A re-execution by
    # hand is another run of Dagster, and makes another run.
    key = f"dagster.{context.run.run_id}.customers_to_lake"
    try:
        record = sluice.client().run(
            "customers_to_lake", key, on_state=lambda r: context.log.info(f"{r['run']} is {r['state']}")
        )
    except RunFailed as failure:  # held and cancelled too
        raise Failure(description=str(failure), allow_retries=False) from failure
    except RequestFailed as failure:
        raise Failure(description=str(failure), allow_retries=failure.retryable) from failure
    return MaterializeResult(
        metadata={"run": record["run"], "rows written": record["counts"]["written"], "bytes": record["counts"]["bytes"]}
    )


defs = Definitions(
    assets=[customers_in_lake],
    schedules=[
        ScheduleDefinition(
            job=define_asset_job("export_customers", selection=[customers_in_lake]),
            cron_schedule="0 7 * * *",
            execution_timezone="Europe/Paris",
        )
    ],
    resources={"sluice": SluiceResource(url=EnvVar("SLUICE_URL"), token=EnvVar("SLUICE_TOKEN"))},
)
