"""Airflow: a DAG that exports customers every morning. Put sluice_client.py beside it in the DAG folder."""

import pendulum
from airflow.decorators import dag, task
from airflow.exceptions import AirflowFailException
from airflow.hooks.base import BaseHook
from airflow.operators.python import get_current_context

from sluice_client import RunFailed, Sluice


@dag(schedule="0 7 * * *", start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Paris"), catchup=False, max_active_runs=1)
def export_customers():
    # Retries are for a worker that dies or a daemon that cannot be reached: what can pass was retried by the daemon already.
    @task(retries=3, retry_delay=pendulum.duration(minutes=1), execution_timeout=pendulum.duration(hours=6))
    def run(activation: str) -> dict:
        connection = BaseHook.get_connection("sluice")  # host http://sluice:7345, password = a write token
        client = Sluice(connection.host, connection.password)
        # The run of the DAG and not the try: a second try finds the run of the first and waits for it.
        key = f"airflow.{get_current_context()['dag_run'].run_id}.{activation}"
        try:
            record = client.run(activation, key, on_state=lambda r: print(f"{r['run']} is {r['state']}"))
        except RunFailed as failure:
            raise AirflowFailException(str(failure)) from failure  # no retry by Airflow: the same key gives the same answer
        return {"run": record["run"], "files": [file["name"] for file in record["files"]], "counts": record["counts"]}

    run("customers_to_lake")


export_customers()
