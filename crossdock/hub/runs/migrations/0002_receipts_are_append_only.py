"""Triggers that refuse to change or remove a receipt, or to insert one anywhere but at the chain's end.

SQLite drops the triggers of a table that a later migration rebuilds: such a migration must run `guard` again.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations

REFUSED = "receipts are append-only"
NOT_NEXT = f"""
    NEW.number <> (SELECT COALESCE(MAX(number), 0) + 1 FROM runs_receipt)
    OR NEW.previous <> COALESCE((SELECT digest FROM runs_receipt ORDER BY number DESC LIMIT 1), '{"0" * 64}')
    OR EXISTS (SELECT 1 FROM runs_receipt WHERE digest = NEW.digest)
"""

SQLITE = [
    f"CREATE TRIGGER runs_receipt_no_update BEFORE UPDATE ON runs_receipt BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END",
    f"CREATE TRIGGER runs_receipt_no_delete BEFORE DELETE ON runs_receipt BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END",
    f"CREATE TRIGGER runs_receipt_only_next BEFORE INSERT ON runs_receipt WHEN {NOT_NEXT}"
    f" BEGIN SELECT RAISE(ABORT, '{REFUSED}: this one is not the next'); END",
]
POSTGRESQL = [
    "CREATE FUNCTION runs_receipt_refuse() RETURNS trigger LANGUAGE plpgsql AS"
    f" $$ BEGIN RAISE EXCEPTION '{REFUSED}'; END $$",
    "CREATE FUNCTION runs_receipt_check_next() RETURNS trigger LANGUAGE plpgsql AS"
    f" $$ BEGIN IF {NOT_NEXT} THEN RAISE EXCEPTION '{REFUSED}: this one is not the next'; END IF; RETURN NEW; END $$",
    "CREATE TRIGGER runs_receipt_no_change BEFORE UPDATE OR DELETE ON runs_receipt"
    " FOR EACH ROW EXECUTE FUNCTION runs_receipt_refuse()",
    "CREATE TRIGGER runs_receipt_no_truncate BEFORE TRUNCATE ON runs_receipt"
    " FOR EACH STATEMENT EXECUTE FUNCTION runs_receipt_refuse()",
    "CREATE TRIGGER runs_receipt_only_next BEFORE INSERT ON runs_receipt"
    " FOR EACH ROW EXECUTE FUNCTION runs_receipt_check_next()",
]
STATEMENTS = {"sqlite": SQLITE, "postgresql": POSTGRESQL}


def guard(apps: Any, schema_editor: Any) -> None:
    for statement in STATEMENTS[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    dependencies = (("runs", "0001_initial"),)
    operations = (migrations.RunPython(guard),)
