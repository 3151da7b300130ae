"""Operations of the AWS Lambda API on functions, one file a subject."""

from collections.abc import Mapping

from albatross.lambda_ import (
    aliases,
    code,
    code_signing,
    concurrency,
    configuration,
    event_invoke,
    event_sources,
    functions,
    layer_permissions,
    layers,
    permissions,
    provisioned,
    settings,
    tags,
    versions,
)
from albatross.model.operation import Operation

OPERATIONS: Mapping[str, Operation] = {
    "CreateFunction": Operation(functions.create_function, writes=True),
    "GetFunction": Operation(functions.get_function, writes=False),
    "GetFunctionConfiguration": Operation(functions.get_function_configuration, writes=False),
    "ListFunctions": Operation(functions.list_functions, writes=False),
    "UpdateFunctionCode": Operation(code.update_function_code, writes=True),
    "UpdateFunctionConfiguration": Operation(
        configuration.update_function_configuration, writes=True
    ),
    "DeleteFunction": Operation(functions.delete_function, writes=True, status=204),
    "AddPermission": Operation(permissions.add_permission, writes=True),
    "RemovePermission": Operation(permissions.remove_permission, writes=True),
    "GetPolicy": Operation(permissions.get_policy, writes=False),
    "PutFunctionConcurrency": Operation(concurrency.put_function_concurrency, writes=True),
    "GetFunctionConcurrency": Operation(concurrency.get_function_concurrency, writes=False),
    "DeleteFunctionConcurrency": Operation(concurrency.delete_function_concurrency, writes=True),
    "PublishVersion": Operation(versions.publish_version, writes=True),
    "ListVersionsByFunction": Operation(versions.list_versions_by_function, writes=False),
    "CreateAlias": Operation(aliases.create_alias, writes=True),
    "UpdateAlias": Operation(aliases.update_alias, writes=True),
    "GetAlias": Operation(aliases.get_alias, writes=False),
    "ListAliases": Operation(aliases.list_aliases, writes=False),
    "DeleteAlias": Operation(aliases.delete_alias, writes=True),
    "PutProvisionedConcurrencyConfig": Operation(
        provisioned.put_provisioned_concurrency_config, writes=True
    ),
    "DeleteProvisionedConcurrencyConfig": Operation(
        provisioned.delete_provisioned_concurrency_config, writes=True
    ),
    "PutFunctionEventInvokeConfig": Operation(
        event_invoke.put_function_event_invoke_config, writes=True
    ),
    "UpdateFunctionEventInvokeConfig": Operation(
        event_invoke.update_function_event_invoke_config, writes=True
    ),
    "GetFunctionEventInvokeConfig": Operation(
        event_invoke.get_function_event_invoke_config, writes=False
    ),
    "DeleteFunctionEventInvokeConfig": Operation(
        event_invoke.delete_function_event_invoke_config, writes=True
    ),
    "ListFunctionEventInvokeConfigs": Operation(
        event_invoke.list_function_event_invoke_configs, writes=False
    ),
    "GetFunctionRecursionConfig": Operation(settings.get_function_recursion_config, writes=False),
    "PutFunctionRecursionConfig": Operation(settings.put_function_recursion_config, writes=True),
    "GetRuntimeManagementConfig": Operation(settings.get_runtime_management_config, writes=False),
    "PutRuntimeManagementConfig": Operation(settings.put_runtime_management_config, writes=True),
    "GetAccountSettings": Operation(settings.get_account_settings, writes=False),
    "CreateCodeSigningConfig": Operation(code_signing.create_code_signing_config, writes=True),
    "UpdateCodeSigningConfig": Operation(code_signing.update_code_signing_config, writes=True),
    "GetCodeSigningConfig": Operation(code_signing.get_code_signing_config, writes=False),
    "ListCodeSigningConfigs": Operation(code_signing.list_code_signing_configs, writes=False),
    "DeleteCodeSigningConfig": Operation(code_signing.delete_code_signing_config, writes=True),
    "ListFunctionsByCodeSigningConfig": Operation(
        code_signing.list_functions_by_code_signing_config, writes=False
    ),
    "PutFunctionCodeSigningConfig": Operation(
        code_signing.put_function_code_signing_config, writes=True
    ),
    "GetFunctionCodeSigningConfig": Operation(
        code_signing.get_function_code_signing_config, writes=False
    ),
    "DeleteFunctionCodeSigningConfig": Operation(
        code_signing.delete_function_code_signing_config, writes=True
    ),
    "PublishLayerVersion": Operation(layers.publish_layer_version, writes=True),
    "GetLayerVersion": Operation(layers.get_layer_version, writes=False),
    "GetLayerVersionByArn": Operation(layers.get_layer_version_by_arn, writes=False),
    "ListLayers": Operation(layers.list_layers, writes=False),
    "ListLayerVersions": Operation(layers.list_layer_versions, writes=False),
    "DeleteLayerVersion": Operation(layers.delete_layer_version, writes=True),
    "AddLayerVersionPermission": Operation(
        layer_permissions.add_layer_version_permission, writes=True
    ),
    "GetLayerVersionPolicy": Operation(layer_permissions.get_layer_version_policy, writes=False),
    "RemoveLayerVersionPermission": Operation(
        layer_permissions.remove_layer_version_permission, writes=True
    ),
    "ListEventSourceMappings": Operation(event_sources.list_event_source_mappings, writes=False),
    "GetEventSourceMapping": Operation(event_sources.missing, writes=False),
    "DeleteEventSourceMapping": Operation(event_sources.missing, writes=False),
    "TagResource": Operation(tags.tag_resource, writes=True),
    "UntagResource": Operation(tags.untag_resource, writes=True),
    "ListTags": Operation(tags.list_tags, writes=False),
}
