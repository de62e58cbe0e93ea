import Hub
import NGSI

/// The catalogue of a tenant's datasets in DCAT-AP 3.0, with measurements of quality in DQV.
///
/// Source: SEMIC DCAT-AP 3.0.1 (tables of mandatory and recommended properties); W3C DCAT 3; W3C Data Quality
/// Vocabulary; EU authority tables for file types, access rights, availability and licences.
struct DCATCatalogue {
  /// Where this hub is reached, such as `http://127.0.0.1:8080`.
  let base: String
  let tenant: String
  private var graph = RDFGraph(prefixes: Self.prefixes)

  private static let prefixes = [
    ("adms", "http://www.w3.org/ns/adms#"), ("dcat", "http://www.w3.org/ns/dcat#"),
    ("dcatap", "http://data.europa.eu/r5r/"), ("dct", "http://purl.org/dc/terms/"),
    ("dqv", "http://www.w3.org/ns/dqv#"), ("foaf", "http://xmlns.com/foaf/0.1/"),
    ("prov", "http://www.w3.org/ns/prov#"), ("rdf", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"),
    ("rdfs", "http://www.w3.org/2000/01/rdf-schema#"), ("skos", "http://www.w3.org/2004/02/skos/core#"),
    ("vcard", "http://www.w3.org/2006/vcard/ns#"), ("xsd", "http://www.w3.org/2001/XMLSchema#"),
  ]
  private static let authority = "http://publications.europa.eu/resource/authority/"
  private static let publisherTypes = "http://purl.org/adms/publishertype/"
  private static let mediaTypes = "http://www.iana.org/assignments/media-types/"
  private static let xsd = "http://www.w3.org/2001/XMLSchema#"
  /// Our own dimensions and metrics, named after ISO/IEC 25012.
  private static let metrics = "urn:madang:quality:"

  init(base: String, tenant: String) {
    self.base = base
    self.tenant = tenant
  }

  // MARK: - The catalogue

  /// - Parameters:
  ///   - about: what is said of the catalogue itself.
  static func graph(
    of datasets: [(dataset: Dataset, quality: DatasetQuality)], about: JSONObject, base: String, tenant: String,
    at time: DateTime
  ) -> RDFGraph {
    var catalogue = DCATCatalogue(base: base, tenant: tenant)
    catalogue.addCatalogue(about, datasets.map(\.dataset), at: time)
    for entry in datasets { catalogue.add(entry.dataset, entry.quality) }
    if !datasets.isEmpty { catalogue.addMetrics() }
    return catalogue.graph
  }

  private mutating func addCatalogue(_ about: JSONObject, _ datasets: [Dataset], at time: DateTime) {
    let catalogue = RDFTerm.iri(base + "/city/v1/catalogue")
    type(catalogue, "dcat:Catalog")
    texts(catalogue, "dct:title", about["title"])
    texts(catalogue, "dct:description", about["description"])
    let publisher = agent(catalogue, "dct:publisher", about["publisher"])
    link(catalogue, "dct:license", about["licence"], as: "dct:LicenseDocument")
    link(catalogue, "foaf:homepage", about["homepage"] ?? .string(base + "/"), as: "foaf:Document")
    link(catalogue, "dct:spatial", about["spatial"], as: "dct:Location")
    for language in about["languages"]?.array ?? [] {
      link(catalogue, "dct:language", language, as: "dct:LinguisticSystem")
    }
    graph.add(catalogue, "dct:issued", Self.time(datasets.map(\.createdAt).min() ?? time))
    graph.add(catalogue, "dct:modified", Self.time(datasets.map(\.modifiedAt).max() ?? time))
    let themes = RDFTerm.iri(Self.authority + "data-theme")
    graph.add(catalogue, "dcat:themeTaxonomy", themes)
    type(themes, "skos:ConceptScheme")
    graph.add(themes, "dct:title", .text("Data theme (EU authority table)", language: "en"))
    graph.add(catalogue, "dcat:dataset", datasets.map(iri))
    graph.add(catalogue, "dcat:service", service)
    type(service, "dcat:DataService")
    graph.add(service, "dct:title", .text("NGSI-LD API (ETSI GS CIM 009 v1.9.1)", language: "en"))
    graph.add(service, "dcat:endpointURL", .iri(base + "/ngsi-ld/v1"))
    if let publisher { graph.add(service, "dct:publisher", publisher) }
    graph.add(service, "dcat:servesDataset", datasets.map(iri))
    link(
      service, "dct:conformsTo", "https://www.etsi.org/deliver/etsi_gs/CIM/001_099/009/01.09.01_60/", as: "dct:Standard"
    )
  }

  private func iri(_ dataset: Dataset) -> RDFTerm { .iri("\(base)/city/v1/datasets/\(dataset.id)") }
  private var service: RDFTerm { .iri(base + "/ngsi-ld/v1#service") }

  // MARK: - One dataset

  private mutating func add(_ dataset: Dataset, _ quality: DatasetQuality) {
    let subject = iri(dataset)
    let document = dataset.document
    type(subject, "dcat:Dataset")
    texts(subject, "dct:title", document["title"])
    texts(subject, "dct:description", document["description"])
    graph.add(subject, "dct:identifier", .text(dataset.id, language: ""))
    agent(subject, "dct:publisher", document["publisher"])
    contact(subject, document["contact"] ?? document["publisher"])
    graph.add(subject, "dct:issued", Self.time(dataset.createdAt))
    graph.add(subject, "dct:modified", Self.time(dataset.modifiedAt))
    for member in document["keywords"]?.object ?? JSONObject() {
      let words = (member.value.array ?? []).compactMap(\.string)
      graph.add(subject, "dcat:keyword", words.map { .text($0, language: member.key) })
    }
    for theme in document["themes"]?.array ?? [] {
      if let theme = theme.string { graph.add(subject, "dcat:theme", concept(theme)) }
    }
    link(subject, "dct:spatial", document["spatial"], as: "dct:Location")
    link(subject, "dct:accrualPeriodicity", document["frequency"], as: "dct:Frequency")
    link(subject, "dct:accessRights", document["accessRights"], as: "dct:RightsStatement")
    lineage(subject, document)
    distributions(subject, dataset)
    measurements(subject, quality)
  }

  private mutating func lineage(_ subject: RDFTerm, _ document: JSONObject) {
    if let source = document["lineage"]?["source"]?.string { graph.add(subject, "prov:wasDerivedFrom", .iri(source)) }
    if let derivation = document["lineage"]?["derivation"] {
      let statement = graph.blank()
      graph.add(subject, "dct:provenance", statement)
      type(statement, "dct:ProvenanceStatement")
      texts(statement, "rdfs:label", derivation)
    }
    if let days = document["retention"]?["days"]?.integer {
      let statement = graph.blank()
      graph.add(subject, "dct:rights", statement)
      type(statement, "dct:RightsStatement")
      graph.add(
        statement, "rdfs:label",
        .text("Histories are to be kept for \(days) days; the hub does not delete by itself yet.", language: "en"),
        .text("이력 보존 기간 \(days)일. 허브가 아직 스스로 지우지는 않음.", language: "ko"))
    }
  }

  private mutating func distributions(_ subject: RDFTerm, _ dataset: Dataset) {
    var query = "type=" + PercentCoding.encode(dataset.types.joined(separator: ","))
    if let scope = dataset.document["entities"]?["scopeQ"]?.string { query += "&scopeQ=" + PercentCoding.encode(scope) }
    let forms = [
      ("now", "entities", "JSON_LD", "application/ld+json", "Entities as they are now", "지금의 엔티티"),
      ("geo", "entities", "GEOJSON", "application/geo+json", "Entities as GeoJSON features", "GeoJSON 지물"),
      ("history", "temporal/entities", "JSON_LD", "application/ld+json", "Histories of the entities", "엔티티의 이력"),
    ]
    for (name, path, format, media, english, korean) in forms {
      let distribution = RDFTerm.iri("\(base)/city/v1/datasets/\(dataset.id)#\(name)")
      graph.add(subject, "dcat:distribution", distribution)
      type(distribution, "dcat:Distribution")
      graph.add(
        distribution, "dct:title", .text(english, language: "en"), .text(korean, language: "ko"))
      let tenant = tenant.isEmpty ? "" : " The tenant \(tenant) is named in the header NGSILD-Tenant."
      graph.add(
        distribution, "dct:description", .text("\(english), by Accept: \(media).\(tenant)", language: "en"))
      graph.add(distribution, "dcat:accessURL", .iri("\(base)/ngsi-ld/v1/\(path)?\(query)"))
      link(distribution, "dct:format", .string(Self.authority + "file-type/" + format), as: "dct:MediaTypeOrExtent")
      link(distribution, "dcat:mediaType", .string(Self.mediaTypes + media), as: "dct:MediaType")
      link(distribution, "dct:license", dataset.document["licence"], as: "dct:LicenseDocument")
      graph.add(distribution, "dcatap:availability", concept(Self.authority + "planned-availability/AVAILABLE"))
      graph.add(distribution, "dcat:accessService", service)
    }
  }

  // MARK: - Quality (DQV)

  private mutating func measurements(_ subject: RDFTerm, _ quality: DatasetQuality) {
    let shares = [
      ("completeness", quality.completeness), ("timeliness", quality.timeliness), ("validity", quality.validity),
    ]
    for (name, share) in shares {
      guard let share else { continue }
      let measurement = graph.blank()
      graph.add(subject, "dqv:hasQualityMeasurement", measurement)
      type(measurement, "dqv:QualityMeasurement")
      graph.add(measurement, "dqv:isMeasurementOf", .iri(Self.metrics + name))
      graph.add(measurement, "dqv:computedOn", subject)
      graph.add(measurement, "dqv:value", .typed("\(share)", datatype: Self.xsd + "double"))
      graph.add(measurement, "prov:generatedAtTime", Self.time(quality.at))
    }
  }

  private mutating func addMetrics() {
    let metrics = [
      ("completeness", "Share of the expected attribute values that the entities have."),
      ("timeliness", "Share of the entities whose latest observation is not older than expected."),
      ("validity", "Share of the entities written since the hub started that met their data model."),
    ]
    for (name, definition) in metrics {
      let metric = RDFTerm.iri(Self.metrics + name)
      type(metric, "dqv:Metric")
      graph.add(metric, "skos:definition", .text(definition, language: "en"))
      graph.add(metric, "dqv:expectedDataType", .iri(Self.xsd + "double"))
    }
  }

  // MARK: - Parts

  private mutating func type(_ subject: RDFTerm, _ name: String) {
    let parts = name.split(separator: ":", maxSplits: 1).map(String.init)
    let prefix = Self.prefixes.first { $0.0 == parts[0] }?.1 ?? ""
    graph.add(subject, "rdf:type", .iri(prefix + parts[1]))
  }

  private mutating func texts(_ subject: RDFTerm, _ predicate: String, _ json: JSON?) {
    switch json {
    case .string(let text)?: graph.add(subject, predicate, .text(text, language: ""))
    case .object(let object)?:
      for member in object {
        if let text = member.value.string { graph.add(subject, predicate, .text(text, language: member.key)) }
      }
    default: break
    }
  }

  /// A resource of another's, with the class that the profile wants it to have.
  private mutating func link(_ subject: RDFTerm, _ predicate: String, _ json: JSON?, as name: String) {
    guard let iri = json?.string else { return }
    graph.add(subject, predicate, .iri(iri))
    type(.iri(iri), name)
    scheme(of: iri)
  }

  /// An entry of a vocabulary, with the label that a reader without the vocabulary sees.
  private mutating func concept(_ iri: String) -> RDFTerm {
    type(.iri(iri), "skos:Concept")
    let code = iri.split(whereSeparator: { "/#:".contains($0) }).last.map(String.init) ?? iri
    graph.add(.iri(iri), "skos:prefLabel", .text(Self.themes[code] ?? code, language: "en"))
    scheme(of: iri)
    return .iri(iri)
  }

  /// An entry of an EU authority table stands below its table, a type of publisher in ADMS's list of them.
  private mutating func scheme(of iri: String) {
    if iri.hasPrefix(Self.publisherTypes) {
      return graph.add(.iri(iri), "skos:inScheme", .iri(Self.publisherTypes + "1.0"))
    }
    guard iri.hasPrefix(Self.authority), let slash = iri.lastIndex(of: "/"),
      slash > iri.index(iri.startIndex, offsetBy: Self.authority.count)
    else { return }
    graph.add(.iri(iri), "skos:inScheme", .iri(String(iri[..<slash])))
  }

  /// EU authority table "data-theme", labels of 2022.
  private static let themes = [
    "AGRI": "Agriculture, fisheries, forestry and food", "ECON": "Economy and finance",
    "EDUC": "Education, culture and sport", "ENER": "Energy", "ENVI": "Environment",
    "GOVE": "Government and public sector", "HEAL": "Health", "INTR": "International issues",
    "JUST": "Justice, legal system and public safety", "OP_DATPRO": "Provisional data",
    "REGI": "Regions and cities", "SOCI": "Population and society", "TECH": "Science and technology",
    "TRAN": "Transport",
  ]

  @discardableResult
  private mutating func agent(_ subject: RDFTerm, _ predicate: String, _ json: JSON?) -> RDFTerm? {
    guard let json else { return nil }
    let agent = json["id"]?.string.map { RDFTerm.iri($0) } ?? graph.blank()
    graph.add(subject, predicate, agent)
    type(agent, "foaf:Agent")
    texts(agent, "foaf:name", json["name"])
    if let type = json["type"]?.string { graph.add(agent, "dct:type", concept(type)) }
    link(agent, "foaf:homepage", json["homepage"], as: "foaf:Document")
    if let email = json["email"]?.string { graph.add(agent, "foaf:mbox", .iri("mailto:" + email)) }
    return agent
  }

  private mutating func contact(_ subject: RDFTerm, _ json: JSON?) {
    guard let json, json["email"] != nil || json["homepage"] != nil else { return }
    let contact = graph.blank()
    graph.add(subject, "dcat:contactPoint", contact)
    type(contact, "vcard:Kind")
    texts(contact, "vcard:fn", json["name"])
    if let email = json["email"]?.string { graph.add(contact, "vcard:hasEmail", .iri("mailto:" + email)) }
    if let homepage = json["homepage"]?.string { graph.add(contact, "vcard:hasURL", .iri(homepage)) }
  }

  private static func time(_ time: DateTime) -> RDFTerm {
    .typed(time.description, datatype: xsd + "dateTime")
  }
}
