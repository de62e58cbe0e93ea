/// The core @contexts of ETSI GS CIM 009, versions 1.3 to 1.9, as term tables.
///
/// Whatever version a client names, names are expanded with version 1.9: the hub's core context has absolute precedence
/// (clause 5.5.7), and one name must not mean two things to two clients. A named older version adds the few terms that
/// 1.9 no longer has.
public enum CoreContext {
  /// Minor versions of the 1.x core contexts that are built in.
  public static let versions = 3...9

  /// The address of the core context that the hub uses.
  public static let url = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"

  /// The minor version that an address of a core context names; `nil` for any other address.
  public static func version(of url: String) -> Int? {
    for scheme in ["https://", "http://"] where url.hasPrefix(scheme) {
      for directory in ["uri.etsi.org/ngsi-ld/v1/", "uri.etsi.org/ngsi-ld/"] {
        guard url.dropFirst(scheme.utf8.count).hasPrefix(directory) else { continue }
        var file = url.dropFirst(scheme.utf8.count + directory.utf8.count)
        guard file.hasPrefix("ngsi-ld-core-context"), file.hasSuffix(".jsonld") else { continue }
        file = file.dropFirst("ngsi-ld-core-context".utf8.count).dropLast(".jsonld".utf8.count)
        if file.isEmpty { return versions.upperBound }
        guard file.hasPrefix("-v1."), let version = Int(file.dropFirst(4)) else { return nil }
        return versions.contains(version) ? version : nil
      }
    }
    return nil
  }

  /// The definitions of one version; prefixes are terms too.
  public static func terms(version: Int) -> [String: Context.Term] {
    var terms: [String: Context.Term] = [:]
    for group in groups where group.since <= version && version < group.until {
      for entry in group.entries.split(whereSeparator: \.isWhitespace) {
        let parts = entry.split(separator: "=", maxSplits: 1)
        let name = String(parts[0])
        terms[name] = Context.Term(
          iri: iri(parts.count > 1 ? String(parts[1]) : Core.namespace + name), coercion: group.coercion,
          container: group.container, isPrefix: name == "ngsi-ld" || name == "geojson")
      }
    }
    return terms
  }

  static let current = terms(version: versions.upperBound)

  private static func iri(_ text: String) -> String {
    if text.hasPrefix("~") { return Core.namespace + text.dropFirst() }
    if text.hasPrefix("geojson:") { return geojson + text.dropFirst("geojson:".utf8.count) }
    return text
  }

  private static let geojson = "https://purl.org/geojson/vocab#"

  /// Terms that share coercion, container and lifetime. An entry is `term` for the IRI of that name in the NGSI-LD
  /// namespace, `term=~name` for another name there, `term=IRI` otherwise.
  private struct Group {
    var since: Int
    var until = Int.max
    var coercion: String?
    var container: String?
    var entries: String

    init(
      _ since: Int, until: Int = Int.max, type coercion: String? = nil, in container: String? = nil, _ entries: String
    ) {
      self.since = since
      self.until = until
      self.coercion = coercion
      self.container = container
      self.entries = entries
    }
  }

  private static let dateTime = Core.namespace + "DateTime"

  private static let groups: [Group] = [
    Group(
      3,
      """
      ngsi-ld=https://uri.etsi.org/ngsi-ld/ geojson=https://purl.org/geojson/vocab# id=@id type=@type
      description=http://purl.org/dc/terms/description title=http://purl.org/dc/terms/title
      Attribute AttributeList ContextSourceNotification ContextSourceRegistration Date DateTime EntityType
      EntityTypeInfo EntityTypeList GeoProperty Notification Property Relationship Subscription TemporalProperty Time
      Feature=geojson:Feature FeatureCollection=geojson:FeatureCollection
      GeometryCollection=geojson:GeometryCollection LineString=geojson:LineString
      MultiLineString=geojson:MultiLineString MultiPoint=geojson:MultiPoint MultiPolygon=geojson:MultiPolygon
      Point=geojson:Point Polygon=geojson:Polygon geometry=geojson:geometry properties=geojson:properties
      accept csf data detail endpoint entities entityCount error errors format geoQ geoproperty georel idPattern
      information isActive location managementInterval notification observationInterval observationSpace
      operationSpace q reason registrationName status subscriptionName temporalQ throttling timeInterval timeproperty
      timerel timesSent triggerReason unchanged unitCode updated uri value=~hasValue
      """),
    Group(
      3, type: "@vocab",
      """
      attributeList attributeName attributeNames attributeTypes attributes propertyNames relationshipNames typeList
      typeName typeNames watchedAttributes
      """),
    Group(
      3, type: dateTime,
      """
      createdAt endAt endTimeAt expiresAt lastFailure lastNotification lastSuccess modifiedAt notifiedAt observedAt
      startAt timeAt
      """),
    Group(3, type: "@id", "datasetId entityId instanceId object=~hasObject subscriptionId success"),
    Group(3, in: "@list", "bbox=geojson:bbox coordinates=geojson:coordinates values=~hasValues"),
    Group(3, in: "@set", "features=geojson:features"),
    Group(3, until: 6, type: "@id", in: "@list", "objects=~hasObjects"),
    Group(6, in: "@list", "objects=~hasObjects"),
    // These two changed with every version: without prefix they fall under the default vocabulary.
    Group(3, until: 5, defaultVocabularyCounters),
    Group(5, until: 6, "attributeCount attributeDetails"),
    Group(6, until: 7, defaultVocabularyCounters),
    Group(7, until: 8, "attributeCount attributeDetails"),
    Group(8, until: 9, defaultVocabularyCounters),
    Group(9, "attributeCount attributeDetails"),
    Group(4, in: "@list", "avg distinctCount max min stddev sum sumsq totalCount"),
    Group(5, "LanguageProperty attrs lang scope scopeQ"),
    Group(5, in: "@language", "languageMap=~hasLanguageMap"),
    Group(5, type: "@id", "tenant"),
    Group(
      6,
      """
      cacheDuration contextSourceInfo cooldown key=~hasKey localOnly management mode notificationTrigger notifierInfo
      notUpdated operations previousValue=~hasPreviousValue receiverInfo refreshRate registrationId showChanges
      sysAttrs timeout timesFailed
      """),
    Group(6, type: dateTime, "deletedAt"),
    Group(6, in: "@list", "languageMaps=~hasLanguageMaps"),
    Group(6, in: "@language", "previousLanguageMap=~hasPreviousLanguageMap"),
    Group(6, type: "@id", "previousObject=~hasPreviousObject"),
    Group(7, until: 8, "VocabularyProperty"),
    Group(7, in: "@index", "dataset=~hasDataset"),
    Group(7, type: "@vocab", "previousVocab=~hasPreviousVocab vocab=~hasVocab"),
    Group(7, in: "@list", "vocabs=~hasVocabs"),
    Group(
      8,
      """
      ContextSourceIdentity JsonProperty ListProperty ListRelationship VocabProperty containedBy=~isContainedBy
      contextSourceAlias contextSourceUptime entity expandValues join joinLevel=~hasJoinLevel jsonKeys linkedMaps omit
      pick
      """),
    Group(8, until: 9, "entityMap=~hasEntityMap geometryProperty=geojson:geometryProperty"),
    Group(8, until: 9, in: "@list", "objectsLists=~hasObjectsLists"),
    Group(8, type: "@json", "contextSourceExtras json=~hasJSON previousJson=~hasPreviousJson"),
    Group(8, type: dateTime, "contextSourceTimeAt"),
    Group(
      8, in: "@list",
      """
      entityList jsons objectList=~hasObjectList previousObjectList=~hasPreviousObjectList
      previousValueList=~hasPreviousValueList valueList=~hasValueList valueLists=~hasValueLists
      """),
    Group(8, type: "@vocab", "objectType=~hasObjectType"),
    Group(
      9,
      """
      EntityMap ExecutionResultDetails Snapshot SnapshotNotification aggrParams aggrMethods aggrPeriodDuration
      collation entityMapLifetime=~hasEntityMapLifetime jsonldContext
      langString=http://www.w3.org/1999/02/22-rdf-syntax-ns#langString lastN ngsildproof ngsildConformance ordering
      resultStatus snapshotId snapshotLifetime snapshotPriority snapshotStatus splitEntities=~hasSplitEntities
      """),
    Group(9, in: "@index", "entityMap=~hasEntityMap"),
    Group(9, type: dateTime, "lastUsedAt"),
    Group(
      9, in: "@list",
      """
      objectLists=~hasObjectLists orderBy snapshotQueries snapshotQueriesDetails snapshotTemporalQueries
      snapshotTemporalQueriesDetails
      """),
    Group(9, type: "@json", "problemDetails"),
    Group(9, type: "@vocab", "valueType=~hasValueType"),
  ]

  private static let defaultVocabularyCounters =
    "attributeCount=https://uri.etsi.org/ngsi-ld/default-context/attributeCount "
    + "attributeDetails=https://uri.etsi.org/ngsi-ld/default-context/attributeDetails"
}
