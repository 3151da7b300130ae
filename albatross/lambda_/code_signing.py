"""Code signing configurations, and which functions have one. Source: Lambda API,
`CreateCodeSigningConfig`, `PutFunctionCodeSigningConfig`.
"""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from albatross.lambda_ import lookup, tags, wire
from albatross.lambda_.paging import page
from albatross.model.code_signing import CodeSigningConfig
from albatross.model.errors import (
    CodeSigningConfigNotFoundException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from albatross.model.function import Function
from albatross.store.transaction import Transaction

PAGE_SIZE = 10_000
_POLICY = "UntrustedArtifactOnDeployment"

# differs from AWS: a code signing configuration is kept and shown, but no signature is checked.


def create_code_signing_config(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """CreateCodeSigningConfig."""
    id_ = f"csc-{secrets.token_hex(9)[:17]}"
    config = CodeSigningConfig(
        arn=f"arn:aws:lambda:{tx.scope.region}:{tx.scope.account}:code-signing-config:{id_}",
        name=id_,
        publishers=tuple(params["AllowedPublishers"]["SigningProfileVersionArns"]),
        untrusted=params.get("CodeSigningPolicies", {}).get(_POLICY, "Warn"),
        description=params.get("Description"),
        last_modified=tx.now,
    )
    tx.put(config)
    tx.put_tags(config.arn, tags.check(params.get("Tags", {})))
    return {"CodeSigningConfig": _document(config)}


def update_code_signing_config(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """UpdateCodeSigningConfig: what is given. Raises ResourceNotFoundException."""
    config = _find(tx, params)
    publishers = params.get("AllowedPublishers", {}).get("SigningProfileVersionArns")
    config = replace(
        config,
        publishers=tuple(publishers) if publishers else config.publishers,
        untrusted=params.get("CodeSigningPolicies", {}).get(_POLICY, config.untrusted),
        description=params.get("Description", config.description),
        last_modified=tx.now,
    )
    tx.put(config)
    return {"CodeSigningConfig": _document(config)}


def get_code_signing_config(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """GetCodeSigningConfig. Raises ResourceNotFoundException."""
    return {"CodeSigningConfig": _document(_find(tx, params))}


def list_code_signing_configs(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """ListCodeSigningConfigs. Raises InvalidParameterValueException."""
    configs = tx.list(CodeSigningConfig)
    shown, more = page(params, configs, lambda config: config.arn, size_max=PAGE_SIZE)
    return {"CodeSigningConfigs": [_document(config) for config in shown], **more}


def delete_code_signing_config(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """DeleteCodeSigningConfig. Raises ResourceNotFoundException, and ResourceConflictException
    while a function has it.
    """
    config = _find(tx, params)
    if _functions(tx, config):
        raise ResourceConflictException(
            f"Cannot delete the code signing configuration {config.arn}: functions have it."
        )
    tx.delete(config.arn)
    return {}


def list_functions_by_code_signing_config(
    tx: Transaction, params: Mapping[str, Any]
) -> dict[str, Any]:
    """ListFunctionsByCodeSigningConfig: ARNs. Raises ResourceNotFoundException."""
    functions = _functions(tx, _find(tx, params))
    shown, more = page(params, functions, lambda function: function.arn, size_max=PAGE_SIZE)
    return {"FunctionArns": [function.arn for function in shown], **more}


def put_function_code_signing_config(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """PutFunctionCodeSigningConfig.

    Raises ResourceNotFoundException, CodeSigningConfigNotFoundException.
    """
    config_arn = named(tx, params["CodeSigningConfigArn"])
    function = lookup.unqualified(tx, params)
    tx.put(replace(function, code_signing_config_arn=config_arn))
    return {"CodeSigningConfigArn": config_arn, "FunctionName": function.name}


def get_function_code_signing_config(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """GetFunctionCodeSigningConfig: empty where there is none. Raises ResourceNotFoundException."""
    function = lookup.unqualified(tx, params)
    if function.code_signing_config_arn is None:
        return {}
    return {
        "CodeSigningConfigArn": function.code_signing_config_arn,
        "FunctionName": function.name,
    }


def delete_function_code_signing_config(
    tx: Transaction, params: Mapping[str, Any]
) -> dict[str, Any]:
    """DeleteFunctionCodeSigningConfig, if there is one. Raises ResourceNotFoundException."""
    tx.put(replace(lookup.unqualified(tx, params), code_signing_config_arn=None))
    return {}


def named(tx: Transaction, config_arn: str | None) -> str | None:
    """Return `config_arn`. Raises CodeSigningConfigNotFoundException where there is none."""
    if config_arn is not None and tx.get(CodeSigningConfig, config_arn) is None:
        raise CodeSigningConfigNotFoundException(
            "The code signing configuration cannot be found. Check that the provided "
            f"configuration is not deleted: {config_arn}."
        )
    return config_arn


def _find(tx: Transaction, params: Mapping[str, Any]) -> CodeSigningConfig:
    config = tx.get(CodeSigningConfig, params["CodeSigningConfigArn"])
    if config is None:
        raise ResourceNotFoundException(
            f"The Lambda code signing configuration {params['CodeSigningConfigArn']} can not be "
            "found."
        )
    return config


def _functions(tx: Transaction, config: CodeSigningConfig) -> list[Function]:
    return [each for each in tx.list(Function) if each.code_signing_config_arn == config.arn]


def _document(config: CodeSigningConfig) -> dict[str, Any]:
    shown = {
        "CodeSigningConfigId": config.name,
        "CodeSigningConfigArn": config.arn,
        "AllowedPublishers": {"SigningProfileVersionArns": list(config.publishers)},
        "CodeSigningPolicies": {_POLICY: config.untrusted},
        "LastModified": wire.timestamp(config.last_modified),
    }
    return shown | ({} if config.description is None else {"Description": config.description})
