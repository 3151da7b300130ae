"""The elbv2 API: its operations by name. Each is a function of a transaction and the parameters."""

from collections.abc import Mapping

from albatross.elbv2 import (
    attributes,
    capacity,
    limits,
    listener_certificates,
    listeners,
    load_balancers,
    networks,
    resource_policies,
    rules,
    ssl_policies,
    tags,
    target_groups,
    targets,
    trust_stores,
)
from albatross.model.operation import Operation

_READS = {
    "DescribeAccountLimits": limits.describe_account_limits,
    "DescribeCapacityReservation": capacity.describe_capacity_reservation,
    "DescribeListenerAttributes": attributes.describe_listener_attributes,
    "DescribeListenerCertificates": listener_certificates.describe_listener_certificates,
    "DescribeListeners": listeners.describe_listeners,
    "DescribeLoadBalancerAttributes": attributes.describe_load_balancer_attributes,
    "DescribeLoadBalancers": load_balancers.describe_load_balancers,
    "DescribeRules": rules.describe_rules,
    "DescribeSSLPolicies": ssl_policies.describe_ssl_policies,
    "DescribeTags": tags.describe_tags,
    "DescribeTargetGroupAttributes": attributes.describe_target_group_attributes,
    "DescribeTargetGroups": target_groups.describe_target_groups,
    "DescribeTargetHealth": targets.describe_target_health,
    "DescribeTrustStoreAssociations": trust_stores.describe_trust_store_associations,
    "DescribeTrustStoreRevocations": trust_stores.describe_trust_store_revocations,
    "DescribeTrustStores": trust_stores.describe_trust_stores,
    "GetResourcePolicy": resource_policies.get_resource_policy,
}
_WRITES = {
    "AddListenerCertificates": listener_certificates.add_listener_certificates,
    "AddTags": tags.add_tags,
    "CreateListener": listeners.create_listener,
    "CreateLoadBalancer": load_balancers.create_load_balancer,
    "CreateRule": rules.create_rule,
    "CreateTargetGroup": target_groups.create_target_group,
    "DeleteListener": listeners.delete_listener,
    "DeleteLoadBalancer": load_balancers.delete_load_balancer,
    "DeleteRule": rules.delete_rule,
    "DeleteSharedTrustStoreAssociation": trust_stores.delete_shared_trust_store_association,
    "DeleteTargetGroup": target_groups.delete_target_group,
    "DeleteTrustStore": trust_stores.delete_trust_store,
    "DeregisterTargets": targets.deregister_targets,
    "ModifyCapacityReservation": capacity.modify_capacity_reservation,
    "ModifyIpPools": networks.modify_ip_pools,
    "ModifyListener": listeners.modify_listener,
    "ModifyListenerAttributes": attributes.modify_listener_attributes,
    "ModifyLoadBalancerAttributes": attributes.modify_load_balancer_attributes,
    "ModifyRule": rules.modify_rule,
    "ModifyTargetGroup": target_groups.modify_target_group,
    "ModifyTargetGroupAttributes": attributes.modify_target_group_attributes,
    "RegisterTargets": targets.register_targets,
    "RemoveListenerCertificates": listener_certificates.remove_listener_certificates,
    "RemoveTags": tags.remove_tags,
    "RemoveTrustStoreRevocations": trust_stores.remove_trust_store_revocations,
    "SetIpAddressType": networks.set_ip_address_type,
    "SetRulePriorities": rules.set_rule_priorities,
    "SetSecurityGroups": networks.set_security_groups,
    "SetSubnets": networks.set_subnets,
}

OPERATIONS: Mapping[str, Operation] = {
    **{name: Operation(run=run, writes=False) for name, run in _READS.items()},
    **{name: Operation(run=run, writes=True) for name, run in _WRITES.items()},
}
