"""AWS Certificate Manager: its operations by name, and the local authority that issues."""

from collections.abc import Mapping

from albatross.acm import certificates, listing, tags
from albatross.model.operation import Operation

_READS = {
    "DescribeCertificate": certificates.describe_certificate,
    "GetCertificate": certificates.get_certificate,
    "ListCertificates": listing.list_certificates,
    "ListTagsForCertificate": tags.list_tags_for_certificate,
}
_WRITES = {
    "AddTagsToCertificate": tags.add_tags_to_certificate,
    "DeleteCertificate": certificates.delete_certificate,
    "ImportCertificate": certificates.import_certificate,
    "RemoveTagsFromCertificate": tags.remove_tags_from_certificate,
    "RenewCertificate": certificates.renew_certificate,
    "RequestCertificate": certificates.request_certificate,
    "UpdateCertificateOptions": certificates.update_certificate_options,
}

OPERATIONS: Mapping[str, Operation] = {
    **{name: Operation(run=run, writes=False) for name, run in _READS.items()},
    **{name: Operation(run=run, writes=True) for name, run in _WRITES.items()},
}
