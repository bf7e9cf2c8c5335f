FROM apache/airflow:3.3.2-python3.11
COPY --chown=airflow:0 . /opt/airflow-batch-provider
RUN pip install --no-cache-dir --constraint /opt/airflow-batch-provider/constraints.txt "/opt/airflow-batch-provider[amazon]"
