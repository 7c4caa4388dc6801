# The app on a host of one's own:
#   docker build --tag data2vec-lab . && docker run --rm --publish 7860:7860 data2vec-lab
FROM python:3.11-slim

# hadolint ignore=DL3008 # whichever ffmpeg Debian has
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ffmpeg \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 lab

WORKDIR /srv/lab

# The build of PyTorch for processors is a tenth of the one that brings CUDA along.
COPY requirements.txt ./
RUN pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu "$(grep -o '^torch==[0-9.]*' requirements.txt)" \
    && pip install --no-cache-dir --requirement requirements.txt

COPY app.py LICENSE ./
COPY data2vec_core data2vec_core
COPY analysis analysis
COPY ui ui
COPY assets assets

# Whoever reaches the port is a stranger: --env DATA2VEC_PUBLIC=false for a container of one's own.
ENV GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    GRADIO_ANALYTICS_ENABLED=False \
    HF_HUB_DISABLE_TELEMETRY=1 \
    DATA2VEC_PUBLIC=true \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

USER 1000
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['GRADIO_SERVER_PORT']}/robots.txt\", timeout=5)"]
CMD ["python", "app.py"]
