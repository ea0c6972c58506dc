"""
Airflow 2 or 3: a DAG that exports customers every morning. Put sluice_client.py beside it in the DAG folder, and make a
connection, for example by the environment:

    AIRFLOW_CONN_SLUICE='{"conn_type": "generic", "host": "http://sluice:7345", "password": "a write token"}'
"""

import pendulum
from airflow.exceptions import AirflowFailException

from sluice_client import RequestFailed, RunFailed, Sluice

try:
    from airflow.sdk import BaseHook, dag, task
except ImportError:  # Airflow 2
    from airflow.decorators import dag, task
    from airflow.hooks.base import BaseHook


@dag(schedule="0 7 * * *", start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Paris"), catchup=False, max_active_runs=1)
def export_customers():
    # Retries are for a worker that dies or a daemon that cannot be reached: what can pass was retried by the daemon already.
    @task(retries=3, retry_delay=pendulum.duration(minutes=1), execution_timeout=pendulum.duration(hours=6))
    def run(activation: str, ti=None) -> dict:
        connection = BaseHook.get_connection("sluice")
        client = Sluice(connection.host, connection.password)
        # max_tries stays what it is when Airflow retries, and grows when somebody clears the task: a retry finds the run of the
        # try before and waits for it; a task that was cleared gets a run of its own, whether the last one failed or succeeded.
        key = f"airflow.{ti.dag_id}.{ti.run_id}.{ti.task_id}.{ti.map_index}.{ti.max_tries}"
        try:
            record = client.run(activation, key, on_state=lambda r: print(f"{r['run']} is {r['state']}"))
        except RunFailed as failure:  # held and cancelled too
            raise AirflowFailException(str(failure)) from failure
        except RequestFailed as failure:
            if failure.retryable:
                raise
            raise AirflowFailException(str(failure)) from failure
        return {"run": record["run"], "files": [file["name"] for file in record["files"]], "counts": record["counts"]}

    run("customers_to_lake")


export_customers()
