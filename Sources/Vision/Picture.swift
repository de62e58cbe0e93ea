/// A picture: 8-bit blue, green, red, rows without padding.
public struct Picture: Sendable, Hashable {
  public let size: PictureSize
  /// `3 * width * height` bytes.
  public var pixels: [UInt8]

  /// `nil` where the bytes are not as many as the size says.
  public init?(size: PictureSize, pixels: [UInt8]) {
    guard size.width > 0, size.height > 0, pixels.count == 3 * size.width * size.height else { return nil }
    self.size = size
    self.pixels = pixels
  }
}
