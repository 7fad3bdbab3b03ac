"""``verify`` and ``verify-batch``: does everything agree; exit code 1 and each difference when it does not."""

import json
import os
from pathlib import Path

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@click.pass_obj
def verify(data_dir: Path, as_json: bool) -> int:
    """核验整个数据库 / Verify the whole database: chain, ledger, quotas, registry, signatures, checkpoints."""
    from clearing.cli.opening import required
    from clearing.places import AUDITOR_URL, open_places
    from clearing.verification import run

    with open_places(data_dir, os.environ) as places:
        settings = places.settings
        url = required(places.auditor_url, AUDITOR_URL)
        return run(url, settings.secrets_folder, settings.checkpoints_folder, as_json=as_json)


@click.command("verify-batch")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--jwks",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The tenant's key set, from /.well-known/jwks/{tenant}.json.",
)
@click.option("--previous", help="SHA-256 of the tenant's manifest before this one, where you know it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify_batch(directory: Path, jwks: Path, previous: str | None, as_json: bool) -> int:
    """离线核验一个批次的文件 / Verify a batch's files offline, with the public keys alone."""
    from clearing.cli.printing import show_json
    from clearing.cli.program import FINDINGS, OK
    from settlement.offline import verify_batch

    try:
        keys = json.loads(jwks.read_bytes())
    except ValueError as error:
        raise click.BadParameter(f"不是 JSON / not JSON: {error}", param_hint="--jwks") from error
    if not isinstance(keys, dict):
        raise click.BadParameter("不是公钥清单 / not a key set", param_hint="--jwks")
    differences = verify_batch(directory, keys, previous_manifest_sha256=previous)
    if as_json:
        show_json(
            {
                "differences": [
                    {
                        "code": found.code,
                        "file": found.file,
                        "line": found.line,
                        "instruction_id": found.instruction_id,
                        "zh": found.text.zh,
                        "en": found.text.en,
                    }
                    for found in differences
                ]
            }
        )
    else:
        for found in differences:
            click.echo(str(found))
        click.echo(_summary(len(differences)), err=True)
    return FINDINGS if differences else OK


def _summary(count: int) -> str:
    if not count:
        return "核验通过，没有差异。 Verified: no difference."
    return f"发现 {count} 处差异。 {count} differences found."
