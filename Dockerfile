# syntax=docker/dockerfile:1
FROM python:3.12-slim

# The workers run user code, so they are not root. 1000 is the first user's id on most machines.
RUN useradd --create-home --uid 1000 callboard

WORKDIR /app
COPY pyproject.toml README.md LICENSE ./
COPY broker broker
COPY sdk sdk
COPY supervisor supervisor
RUN pip install --no-cache-dir .
COPY examples examples

# Set here too, for when the container runs as a user whom the image does not know.
ENV HOME=/home/callboard \
    PYTHONUNBUFFERED=1
USER callboard
