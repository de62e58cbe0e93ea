/// Operations that a context source may offer, by the names of ETSI GS CIM 009 table 4.20-1.
public enum OperationName: String, Sendable, Hashable, CaseIterable {
  case createEntity, updateEntity, appendAttrs, updateAttrs, deleteAttrs, deleteEntity
  case createBatch, upsertBatch, updateBatch, deleteBatch
  case upsertTemporal, appendAttrsTemporal, deleteAttrsTemporal, updateAttrInstanceTemporal
  case deleteAttrInstanceTemporal, deleteTemporal
  case mergeEntity, replaceEntity, replaceAttrs, mergeBatch, purgeEntity
  case retrieveEntity, queryEntity, queryBatch, retrieveTemporal, queryTemporal
  case retrieveEntityTypes, retrieveEntityTypeDetails, retrieveEntityTypeInfo
  case retrieveAttrTypes, retrieveAttrTypeDetails, retrieveAttrTypeInfo
  case createSubscription, updateSubscription, retrieveSubscription, querySubscription, deleteSubscription
  case retrieveEntityMap, updateEntityMap, deleteEntityMap
  case createEntityMapQueryEntity, createEntityMapQueryTemporal
  case retrieveContextSourceIdentity
}

extension OperationName {
  /// The operations that a name or the name of a group stands for; `nil` for a name that is neither.
  static func named(_ name: String) -> Set<OperationName>? {
    if let one = OperationName(rawValue: name) { return [one] }
    return groups[name]
  }

  /// What a registration offers that names no operations (clause 4.20).
  static let byDefault = federationOps

  static let writingHistories: Set<OperationName> = [
    .upsertTemporal, .appendAttrsTemporal, .deleteAttrsTemporal, .updateAttrInstanceTemporal,
    .deleteAttrInstanceTemporal, .deleteTemporal,
  ]

  private static let discovery: Set<OperationName> = [
    .retrieveEntityTypes, .retrieveEntityTypeDetails, .retrieveEntityTypeInfo,
    .retrieveAttrTypes, .retrieveAttrTypeDetails, .retrieveAttrTypeInfo,
  ]
  private static let subscribing: Set<OperationName> = [
    .createSubscription, .updateSubscription, .retrieveSubscription, .querySubscription, .deleteSubscription,
  ]
  private static let mapping: Set<OperationName> = [
    .retrieveEntityMap, .updateEntityMap, .deleteEntityMap, .createEntityMapQueryEntity,
  ]
  private static let associationOps: Set<OperationName> =
    discovery.union(subscribing).union([.retrieveEntity, .queryEntity, .queryBatch, .retrieveContextSourceIdentity])
  private static let federationOps = associationOps.union(mapping)
  private static let redirectionOps: Set<OperationName> =
    discovery.union(mapping).union([
      .createEntity, .updateEntity, .appendAttrs, .updateAttrs, .deleteAttrs, .deleteEntity, .mergeEntity,
      .replaceEntity, .replaceAttrs, .retrieveEntity, .queryEntity, .purgeEntity, .retrieveContextSourceIdentity,
    ])

  /// Table 4.20-2.
  private static let groups: [String: Set<OperationName>] = [
    "federationOps": federationOps, "associationOps": associationOps, "redirectionOps": redirectionOps,
    "updateOps": [.updateEntity, .updateAttrs, .replaceEntity, .replaceAttrs],
    "retrieveOps": [.retrieveEntity, .queryEntity],
  ]
}
