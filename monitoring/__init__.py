"""What a running system shows to Prometheus: the metrics, where they are kept, and how they are served.

``alerts.yml`` holds alerting rules for Prometheus, ``dashboard.json`` a dashboard for Grafana.
"""
