import Foundation
import Vision

/// What a camera that detects by itself says in its metadata stream (ONVIF Analytics Service Specification, Streaming
/// Specification): what it sees in frames, and what its rules say.
///
/// Places are parts of the picture, 0 to 1 from the upper left corner, as in zones. Only what is understood is kept; what is
/// not is counted.
public struct ONVIFMetadata: Sendable, Hashable {
  public struct Object: Sendable, Hashable {
    /// The camera's number for it, the same from frame to frame.
    public var id: String?
    /// Parts of the picture.
    public var box: Box
    /// The likeliest class, such as `Human` or `Vehicle`, and how likely it is.
    public var kind: String?
    public var likelihood: Double?

    public var isPerson: Bool { kind == "Human" || kind == "Person" || kind == "Face" }
  }

  public struct Frame: Sendable, Hashable {
    public var time: Date
    public var objects: [Object]

    /// People in it, as a detector of ours would say; for a tracker. Where a camera does not say how likely a class is, it is taken
    /// for certain.
    public func people(in size: PictureSize) -> [Detection] {
      objects.filter(\.isPerson).map { object in
        let box = Box(
          x: object.box.x * Double(size.width), y: object.box.y * Double(size.height),
          width: object.box.width * Double(size.width), height: object.box.height * Double(size.height))
        return Detection(box: box, score: object.likelihood ?? 1)
      }
    }
  }

  /// What a rule of the camera says.
  public struct RuleEvent: Sendable, Hashable {
    public enum Operation: String, Sendable, Hashable {
      /// The state when the stream began.
      case initialized = "Initialized"
      case changed = "Changed"
      case deleted = "Deleted"
    }

    public var time: Date
    /// Without prefixes: `RuleEngine/FieldDetector/ObjectsInside`.
    public var topic: String
    /// The kind of rule it is here; `nil` for others.
    public var rule: Zone.Name?
    /// The rule's name at the camera.
    public var name: String?
    public var object: String?
    public var operation: Operation?
    /// Whether what the rule says is so now; `nil` for rules that tell moments, such as lines.
    public var isActive: Bool?
    /// Everything that was said, as it was said.
    public var items: [String: String]
  }

  public var frames: [Frame] = []
  public var events: [RuleEvent] = []
  /// Frames, objects and messages that were not understood.
  public var ignored = 0

  public init() {}

  /// The kinds of rules by their topic.
  static let rules: [String: Zone.Name] = [
    "RuleEngine/FieldDetector/ObjectsInside": .intrusion,
    "RuleEngine/LineDetector/Crossed": .lineCrossing,
    "RuleEngine/LoiteringDetector/ObjectIsLoitering": .loitering,
  ]
  /// Names of items that say whether a rule's state holds.
  static let states: Set<String> = ["IsInside", "IsLoitering", "State"]
}

/// Why metadata is not read at all.
public enum ONVIFError: Error, Sendable, Hashable, CustomStringConvertible {
  case tooLarge
  /// It has a document type, which may hide what it is, or fetch what it should not.
  case documentType
  case malformed(line: Int)

  public var description: String {
    switch self {
    case .tooLarge: "more than the bounds allow"
    case .documentType: "it has a document type declaration"
    case .malformed(let line): "no well-formed XML (line \(line))"
    }
  }
}
