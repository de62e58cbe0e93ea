import City
import Hub
import NGSI
import Query
import Store

/// Keeps the registrations of a city's sources as its manifest names them.
struct ManifestSources {
  let manifest: Manifest
  let hub: Hub

  private var prefix: String { "urn:ngsi-ld:ContextSourceRegistration:\(manifest.id):" }

  /// Makes, changes and takes away registrations; others than the manifest's are left alone.
  func apply() async throws(Problem) {
    let sources = manifest.sources ?? []
    let documents = sources.map(document) + sources.compactMap(historyDocument)
    let wanted = Set(documents.compactMap { $0["id"]?.string })
    var everything = SourceQuery()
    everything.selectors = []
    for known in try hub.registrations(everything, in: .default).map(\.registration.id)
    where known.hasPrefix(prefix) && !wanted.contains(known) {
      try await hub.deleteRegistration(known, in: .default)
    }
    let context = try await hub.context(.null)
    for document in documents {
      do throws(Problem) {
        let known = try hub.registration(document["id"]?.string ?? "", in: .default)
        guard known.document != document else { continue }
        try await hub.deleteRegistration(known.id, in: .default)
      } catch {
        guard error.kind == .resourceNotFound else { throw error }
      }
      _ = try await hub.register(document, context: context, in: .default)
    }
  }

  /// Sources of histories are registered apart from those of the present (ETSI GS CIM 009 clause 5.9.1).
  private func historyDocument(_ source: Manifest.Source) -> JSONObject? {
    guard let day = source.history else { return nil }
    var object = document(source)
    object["id"] = .string(prefix + source.id + ":history")
    object["operations"] = ["queryTemporal", "retrieveTemporal"]
    object["observationInterval"] = ["startAt": .string(day + "T00:00:00Z")]
    return object
  }

  private func document(_ source: Manifest.Source) -> JSONObject {
    var part = JSONObject()
    part["entities"] = .array(source.types.map { ["type": .string($0)] })
    if let names = source.attributes { part["propertyNames"] = .array(names.map(JSON.string)) }
    var object = JSONObject()
    object["id"] = .string(prefix + source.id)
    object["type"] = "ContextSourceRegistration"
    object["registrationName"] = .string(source.name.en)
    object["description"] = .string(source.name.ko)
    object["endpoint"] = .string(source.endpoint)
    object["information"] = [.object(part)]
    object["mode"] = .string((source.mode ?? .inclusive).rawValue)
    if let operations = source.operations { object["operations"] = .array(operations.map(JSON.string)) }
    object["tenant"] = source.tenant.map(JSON.string)
    if let timeout = source.timeout { object["management"] = ["timeout": .integer(Int64(timeout.seconds) * 1000)] }
    return object
  }
}
