"""`albatross ca`."""

import os

import click

from albatross.commands.server import ask, endpoint_option, get


@click.command()
@endpoint_option
@click.option(
    "--export", "file", metavar="FILE", help="Write the certificate there; - writes it here."
)
def ca(endpoint: str, file: str | None) -> None:
    """Show the local certificate authority, which issues what RequestCertificate asks for.

    No program trusts it until it is told to. Whoever trusts it trusts every certificate that this
    server issues: its key is in the data directory and readable by you only.

    \b
    Examples:
      albatross ca
      albatross ca --export root.pem
      albatross ca --export - | openssl x509 -noout -text
    """
    path = os.path.join(ask(endpoint)["data_dir"], "ca", "root.pem")
    pem = get(endpoint, "ca").decode()
    if file == "-":
        click.echo(pem, nl=False)
        return
    if file is not None:
        try:
            with open(file, "w", encoding="ascii") as target:
                target.write(pem)
        except OSError as error:
            raise click.ClickException(f"--export {file}: {error.strerror}") from error
        path = file
    for line in (path, f"curl --cacert {path} https://NAME/", f"export SSL_CERT_FILE={path}"):
        click.echo(line)
