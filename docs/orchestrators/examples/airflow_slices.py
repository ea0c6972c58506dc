"""
Airflow 2 or 3: one export by many workers, each of which has `sluice` with its configuration, whose `state` holds the plan.
A slice, or the end, that is tried again or cleared goes on with the run of the DAG run.
"""

import json
import subprocess

import pendulum
from airflow.exceptions import AirflowException, AirflowFailException

try:
    from airflow.sdk import dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task

WORTH_ANOTHER_TRY = (75, 130)


def sluice(*args: str) -> dict:
    done = subprocess.run(["sluice", *args, "--json"], stdout=subprocess.PIPE, text=True)
    if done.returncode in WORTH_ANOTHER_TRY or done.returncode < 0:
        raise AirflowException(f"sluice {args[0]} ended with {done.returncode}")
    if done.returncode != 0:
        raise AirflowFailException(f"sluice {args[0]} ended with {done.returncode}: see above")
    return json.loads(done.stdout)


def plan_of(run_id: str) -> str:
    return f"state:orders-{run_id}"


@dag(schedule="0 7 * * *", start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Paris"), catchup=False, max_active_runs=1)
def export_orders_in_slices():
    @task(retries=5, retry_delay=pendulum.duration(minutes=1))
    def begin(run_id: str = None) -> list:
        return list(range(sluice("begin", "orders_to_lake", "--out", plan_of(run_id))["slices"]))

    # As many at once as the source has connections for.
    @task(retries=5, retry_delay=pendulum.duration(minutes=1), max_active_tis_per_dag=8)
    def read(number: int, run_id: str = None) -> None:
        sluice("slice", plan_of(run_id), str(number))

    @task(retries=5, retry_delay=pendulum.duration(minutes=1))
    def finalise(run_id: str = None) -> list:
        return [file["name"] for file in sluice("finalise", plan_of(run_id))["files"]]

    read.expand(number=begin()) >> finalise()


export_orders_in_slices()
