import City
import NGSI

/// Notifications of NGSIv2 subscriptions (`{"subscriptionId", "data": […]}`, FIWARE-NGSI v2 section "Notification
/// Messages"), normalized or key-values, and bare lists of entities.
struct NGSIv2Reader {
  let plan: Manifest.Adapter

  /// Attributes that NGSIv2 gives about an entity, not of it.
  private static let builtIn: Set<String> = ["dateCreated", "dateModified", "dateExpires"]
  /// Metadata that say when a value was observed.
  private static let times = ["TimeInstant", "timestamp", "dateObserved", "observedAt"]

  func read(_ message: JSON) throws(Problem) -> AdaptedInput {
    guard let data = message["data"]?.array ?? message.array else {
      throw .badRequest("an NGSIv2 notification has an array 'data'")
    }
    guard data.count <= Adapter.mostParts else {
      throw Problem(.payloadTooLarge, "a notification may have at most \(Adapter.mostParts) entities")
    }
    var input = AdaptedInput()
    for item in data {
      guard let object = item.object, let id = object["id"]?.string, !id.isEmpty else {
        input.refuse(item, "an NGSIv2 entity has an 'id'")
        continue
      }
      let said = object["type"]?.string ?? ""
      let type = said.isEmpty ? plan.type ?? "Thing" : said
      let uri = IRI.isAbsolute(id) ? id : "urn:ngsi-ld:\(Adapter.urnPart(type)):\(Adapter.urnPart(id))"
      do throws(Problem) { input.entities.append(try entity(object, uri, type)) } catch {
        input.refuse(item, error.detail, entityId: uri)
      }
    }
    return input
  }

  private func entity(_ object: JSONObject, _ id: String, _ type: String) throws(Problem) -> JSON {
    var entity = JSONObject()
    entity["id"] = .string(id)
    entity["type"] = .string(type)
    for member in object where member.key != "id" && member.key != "type" && !Self.builtIn.contains(member.key) {
      guard let name = Adapter.attributeName(member.key) else {
        throw .badRequest("'\(member.key.prefix(80))' cannot be the name of an attribute")
      }
      // A null says that there is no value: nothing that NGSI-LD could hold.
      if let attribute = try attribute(member.value, named: name), attribute["value"] != .null {
        entity[name] = attribute
      }
    }
    return .object(entity)
  }

  private func attribute(_ json: JSON, named name: String) throws(Problem) -> JSON? {
    guard case .object(let object) = json, object.contains("value") else {
      return json == .null ? nil : Self.value(json, type: "", name)
    }
    let type = object["type"]?.string ?? ""
    guard let value = object["value"], value != .null else { return nil }
    guard case .object(var attribute) = try Self.converted(value, type: type, name) else { return nil }
    for member in object["metadata"]?.object ?? JSONObject() {
      let said = member.value["value"] ?? member.value
      if Self.times.contains(member.key), let text = said.string, DateTime(text) != nil {
        attribute["observedAt"] = said
      } else if member.key == "unitCode", said.string != nil {
        attribute["unitCode"] = said
      } else if let name = Adapter.attributeName(member.key), said != .null {
        attribute[name] = ["type": "Property", "value": said]
      }
    }
    return .object(attribute)
  }

  private static func converted(_ value: JSON, type: String, _ name: String) throws(Problem) -> JSON {
    switch type {
    case "geo:json": return ["type": "GeoProperty", "value": value]
    case "geo:point":
      guard let position = position(value) else {
        throw .badRequest("'\(name)' is no geo:point \"latitude, longitude\"")
      }
      return ["type": "GeoProperty", "value": ["type": "Point", "coordinates": position]]
    case "geo:line", "geo:polygon", "geo:box":
      let positions = (value.array ?? []).compactMap(position)
      guard positions.count >= 2, positions.count == value.array?.count else {
        throw .badRequest("'\(name)' is no \(type): a list of \"latitude, longitude\" is expected")
      }
      if type == "geo:line" {
        return ["type": "GeoProperty", "value": ["type": "LineString", "coordinates": .array(positions)]]
      }
      let ring = type == "geo:polygon" ? positions : box(positions)
      return ["type": "GeoProperty", "value": ["type": "Polygon", "coordinates": .array([.array(ring)])]]
    case "Relationship":
      guard let target = value.string, IRI.isAbsolute(target) else {
        throw .badRequest("the relationship '\(name)' leads to no URI")
      }
      return ["type": "Relationship", "object": value]
    default: return Self.value(value, type: type, name)
    }
  }

  private static func value(_ value: JSON, type: String, _ name: String) -> JSON {
    // By the convention of the FIWARE data models a name that begins with 'ref' is a relationship.
    if name.hasPrefix("ref"), let text = value.string, text.hasPrefix("urn:ngsi-ld:") {
      return ["type": "Relationship", "object": value]
    }
    if type == "DateTime" || type == "ISO8601", value.string != nil {
      return ["type": "Property", "value": ["@type": "DateTime", "@value": value]]
    }
    return ["type": "Property", "value": value]
  }

  /// NGSIv2's simple locations are "latitude, longitude"; GeoJSON has it the other way round.
  private static func position(_ value: JSON) -> JSON? {
    let parts = (value.string ?? "").split(separator: ",").map { Double($0.filter { $0 != " " }) }
    guard parts.count == 2, let latitude = parts[0], let longitude = parts[1] else { return nil }
    return [.double(longitude), .double(latitude)]
  }

  private static func box(_ corners: [JSON]) -> [JSON] {
    guard let a = corners.first?.array, let b = corners.last?.array else { return corners }
    let (west, east) = (min(a[0].number ?? 0, b[0].number ?? 0), max(a[0].number ?? 0, b[0].number ?? 0))
    let (south, north) = (min(a[1].number ?? 0, b[1].number ?? 0), max(a[1].number ?? 0, b[1].number ?? 0))
    return [(west, south), (east, south), (east, north), (west, north), (west, south)].map {
      [.double($0.0), .double($0.1)]
    }
  }
}
