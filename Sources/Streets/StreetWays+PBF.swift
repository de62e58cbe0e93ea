import COsmium
import Foundation

extension StreetWays {
  /// How much of a file is read.
  public struct Bounds: Sendable {
    /// Size of the file in bytes. 512 MiB holds a country of Europe's middle size.
    public var bytes = 512 << 20
    /// Ways that are tagged as a highway.
    public var ways = 5_000_000
    /// References from those ways to nodes.
    public var references = 50_000_000

    public init() {}
  }

  /// The tags that are read; a way is read when it has the first.
  static let keys = [
    "highway", "access", "area", "bridge", "foot", "footway", "indoor", "junction", "lanes", "level", "maxspeed",
    "motor_vehicle", "motorcar", "name", "oneway", "service", "sidewalk", "sidewalk:both", "sidewalk:left",
    "sidewalk:right", "tunnel", "vehicle", "width",
  ]

  /// Reads an OpenStreetMap file in PBF. Blocks of more than 32 MiB unpacked are refused, as the format says.
  ///
  /// The file is read twice, on threads of libosmium: its ways, then the nodes that they go through.
  public init(pbf path: String, bounds: Bounds = Bounds()) throws(StreetsError) {
    let attributes: [FileAttributeKey: Any]
    do {
      attributes = try FileManager.default.attributesOfItem(atPath: path)
    } catch {
      throw .unreadable("there is no file \(path)")
    }
    guard attributes[.type] as? FileAttributeType == .typeRegular else { throw .unreadable("\(path) is no file") }
    let size = (attributes[.size] as? Int) ?? 0
    guard size <= bounds.bytes else { throw .fileTooLarge(bytes: size, maxBytes: bounds.bytes) }
    guard size > 0 else { throw .malformed("it is empty") }

    var found: UnsafeMutablePointer<MadangOsmWays>?
    var message = [CChar](repeating: 0, count: 512)
    let keys = Self.keys.map { strdup($0) }
    defer { keys.forEach { free($0) } }
    let pointers = keys.map { UnsafePointer($0) } + [nil]
    let result = madang_osm_read(path, pointers, bounds.ways, bounds.references, &found, &message, message.count)
    guard result == MadangOsmRead, let found else {
      let why = String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      switch result {
      case MadangOsmUnreadable: throw .unreadable(why)
      case MadangOsmTooLarge: throw .tooManyElements(maxWays: bounds.ways, maxReferences: bounds.references)
      default: throw .malformed(why)
      }
    }
    defer { madang_osm_free(found) }
    self.init(found.pointee)
  }

  private init(_ raw: MadangOsmWays) {
    nodes = (0..<raw.nodeCount).map { index in
      Node(
        id: raw.nodeID[index],
        position: Position(
          longitude: Double(raw.longitude[index]) / 1e7, latitude: Double(raw.latitude[index]) / 1e7))
    }
    ways = (0..<raw.wayCount).map { way in
      var tags: [String: String] = [:]
      var at = raw.tagFirst[way]
      while at < raw.tagFirst[way + 1] {
        let key = String(cString: raw.tags + at)
        at += strlen(raw.tags + at) + 1
        tags[key] = String(cString: raw.tags + at)
        at += strlen(raw.tags + at) + 1
      }
      let references = raw.wayFirst[way]..<raw.wayFirst[way + 1]
      return StreetWay(
        id: raw.wayID[way], nodes: references.map { raw.wayNode[$0] == .max ? nil : Int(raw.wayNode[$0]) }, tags: tags)
    }
  }
}
