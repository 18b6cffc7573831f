# Clears what a killed `vagrant up` left with libvirt, for the next to begin anew: a domain and disks that Vagrant does not know of, under the
# names of this lab alone, and a box that was uploaded in part, which Vagrant would take for whole.
require "rexml/document"

module SkiffLab
  class Leftovers
    ONCE = Mutex.new
    @looked = []

    # Boxes are looked at once, before this process uploads any: its machines come up side by side.
    def self.first?(box)
      ONCE.synchronize { @looked.include?(box.directory) ? false : @looked.push(box.directory) }
    end

    def initialize(machine, prefix)
      @machine, @name = machine, "#{prefix}#{machine.name}"
      @libvirt = machine.provider.driver.connection.client
    end

    def clear
      clear_box if @machine.box && Leftovers.first?(@machine.box)
      return if @machine.id
      clear_domain
      volumes.each { |volume| drop(volume) if volume.name.match?(/\A#{Regexp.escape(@name)}(_\d+)?\.img\z/) }
    end

    private

    def clear_domain
      domain = @libvirt.list_all_domains.find { |each| each.name == @name }
      return unless domain
      say "the machine #{@name}"
      domain.destroy if domain.active?
      domain.undefine
    end

    def clear_box
      image = @machine.box.directory.join("box.img")
      return unless image.exist?
      stem = "#{@machine.box.name.gsub("/", "-VAGRANTSLASH-")}_vagrant_box_image_#{@machine.box.version}"
      backing = volumes.map { |volume| text(volume, "volume/backingStore/path") }
      volumes.each do |volume|
        next if !volume.name.start_with?(stem) || backing.include?(volume.path)
        size = text(volume, "volume/physical").to_i
        drop(volume) if size.positive? && size < image.size
      end
    end

    # Each by its name: ruby-libvirt 0.7 cannot ask anything of those that list_all_volumes gives.
    def volumes
      pools = @libvirt.list_all_storage_pools.select(&:active?).each(&:refresh)
      pools.flat_map { |pool| pool.list_volumes.map { |name| pool.lookup_volume_by_name(name) } }
    end

    def text(volume, path)
      REXML::Document.new(volume.xml_desc).elements[path]&.text
    end

    def drop(volume)
      say "the volume #{volume.name}"
      volume.delete
    end

    def say(what)
      @machine.ui.info("removing #{what}, left by an up that was cut")
    end
  end
end
