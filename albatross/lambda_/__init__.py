"""Operations of the AWS Lambda API on functions, one file a subject."""

from collections.abc import Mapping

from albatross.lambda_ import code, concurrency, configuration, functions, permissions, tags
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
    "TagResource": Operation(tags.tag_resource, writes=True),
    "UntagResource": Operation(tags.untag_resource, writes=True),
    "ListTags": Operation(tags.list_tags, writes=False),
}
