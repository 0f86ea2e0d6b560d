import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("runs", "0002_receipts_are_append_only")]

    operations = [
        migrations.CreateModel(
            name="Progress",
            fields=[
                (
                    "run",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="progress",
                        serialize=False,
                        to="runs.run",
                    ),
                ),
                ("stage", models.TextField()),
                ("noun", models.TextField(default="rows")),
                ("done", models.PositiveBigIntegerField(default=0)),
                ("total", models.PositiveBigIntegerField(default=0)),
                ("bytes_done", models.PositiveBigIntegerField(default=0)),
                ("began", models.DateTimeField()),
                ("updated", models.DateTimeField()),
                ("finished", models.BooleanField(default=False)),
            ],
        ),
    ]
